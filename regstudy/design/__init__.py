"""A study as data: configurations, seeds, endpoint, margin, claims; its file, and the designs that are shipped.

Change here what a design can say. May import the configuration and the console; neither torch nor mlflow, for the analysis reads designs, too.
"""
