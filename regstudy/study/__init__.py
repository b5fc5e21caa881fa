"""Many trials: what is missing, where it is trained, what is shown meanwhile, until every trial is done.

A further place to run is one class in executors. May import all rooms but commands.
"""
