"""Frames to conclusions: estimates, verdicts, rankings, and everything that a report says, as numbers.

Change here a statistic; each names its source. May import reading and files; knows no words, figures or pages.
"""
