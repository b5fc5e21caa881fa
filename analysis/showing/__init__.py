"""Conclusions to what people see: words, tables, figures, pages.

Change here a look or a sentence. May import judging, reading and files; computes nothing that is concluded.
"""
