"""Data sets: where their bytes are, verified, and what training gets of them: whole sets as tensors, split, with digests.

A further data set is a further source here. May import the configuration and the console; no place outside this room knows 28 or 10.
"""
