"""How both packages talk: lines on a terminal, errors, signals, and what no text of ours may show.

Change here what every line passes through. May import errors.py only; imports nothing heavy.
"""
