"""What fewer blocks, or another margin, would have said: of the ranking's pairs, and of claims. Made of the same estimates and rules as the report itself.

May import judging's other modules; nothing in judging imports it.
"""
