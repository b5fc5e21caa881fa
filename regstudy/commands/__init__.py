"""The command line `python -m regstudy`: options to calls, and what is printed.

Change here what a command is called or takes. May import all rooms, the heavy ones only once options are understood.
"""
