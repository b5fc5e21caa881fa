"""What anybody's runs say: how values are spelt, which way a metric's name points, which number of a curve counts, what is odd about them. Knows no store.

May be changed: words, rules, notices, each in its file. Imports nothing of analysis but reading's own records.
"""
