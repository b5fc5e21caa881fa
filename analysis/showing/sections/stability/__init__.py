"""What if: the section that says which answers fewer blocks, or another margin, would have changed.

Change here how that is worded or shown; the numbers are judging's. May import what sections import, and the first screen's words.
"""
