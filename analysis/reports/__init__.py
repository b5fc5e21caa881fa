"""A report as a folder: written, bound to exactly the runs that it speaks of, and published.

Change here what a report consists of. May import all rooms but commands.
"""
