"""Reads the runs that regstudy wrote, and compares them."""
