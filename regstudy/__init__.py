"""Tracked experiments on regularisation: one configuration, one MLflow run."""

__version__ = "0.1.0"
