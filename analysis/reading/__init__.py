"""Runs to frames: from a store, a server or a snapshot; trials of ours and anybody's; what is compared, and whether it may be.

A further kind of store or snapshot is one module. May import files, and of regstudy what both share; writes to no store.
"""
