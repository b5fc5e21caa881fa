"""Waiting for a store that is away, within bounds and not in silence; MLflow's client, made patient.

Change here which faults pass by waiting, and how long. May import the console; knows nothing of what is asked.
"""
