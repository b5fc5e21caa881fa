"""The command line `python -m analysis`: options to calls, what is printed, and the check of a report.

Change here what a command is called or takes. May import all rooms, the heavy ones only once options are understood.
"""
