"""One training: the network, its regularisers, the loop that yields facts after each epoch, and what is computed of the trained network.

Change here what is trained and what is measured of it. May import the configuration and data; knows nothing of MLflow, files or terminals.
"""
