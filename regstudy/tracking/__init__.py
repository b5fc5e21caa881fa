"""What this product keeps in a store: runs, their states and owners, checkpoints, the study's own run.

Change here what a run holds, and who may work on it. May import the store, training and design; trains nothing.
"""
