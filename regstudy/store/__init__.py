"""MLflow's store as it is: opened to be read without a change to it, by its tables, its files or its server; and made anew.

Change here what another MLflow or another kind of store asks for. May import patience, machine, console and plain YAML; knows no trial.
"""
