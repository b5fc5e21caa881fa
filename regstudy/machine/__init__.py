"""The machine at hand: its cores and processes, locks between them, folders that nobody else can have prepared.

Change here what a laptop, a container or a shared computer asks for. May import the console; knows no run and no store.
"""
