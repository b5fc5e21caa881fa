"""The report's first screen in words.

Change here a sentence of it. May import judging and reading, and what shows numbers; claims no more than the tests do.
"""
