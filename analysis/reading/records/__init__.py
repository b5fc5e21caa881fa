"""Where runs are read from: a database by SQL, a server by its bulk endpoint, a snapshot's files. Nothing here writes into what it reads.

Change here how records come to be had; what they mean is the next room's. May import of regstudy the stores, schema and errors.
"""
