"""Files of ours in folders that are somebody's: which they are, how they are replaced, and plain rows for CSV.

Change here what is ours to replace or upload. May import of regstudy the console and errors; knows no run.
"""
