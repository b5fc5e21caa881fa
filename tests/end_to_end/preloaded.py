"""What commands are forked from: everything that they would import, the digits, and MLflow's list of installed packages. No thread is started."""

import tempfile
import warnings

import torch

torch.set_num_threads(1)  # threads that are there before a fork are missed after it, for ever

import alembic.command
import git
import IPython
import mlflow.pytorch
import mlflow.store.tracking.sqlalchemy_store
import pebble
import sqlalchemy
from matplotlib.figure import Figure

import regstudy.study.coordinator
import regstudy.study.speed
from regstudy.commands import cli, study_cli
from regstudy.config import RunConfig
from regstudy.data import datasets
from regstudy.data.sources import Source
from regstudy.run import trial
from regstudy.training.loop import Learner
from regstudy.training.network import build

images = datasets.load(Source("mnist-5k", None), RunConfig(dataset="mnist-5k")).test.images[:4]
network = build(RunConfig())
Learner(network, RunConfig())  # the first optimiser imports a compiler
sqlalchemy.create_engine("sqlite://").dispose()
with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
    warnings.simplefilter("ignore")
    Figure().savefig(f"{folder}/figure.png")
    mlflow.pytorch.save_model(
        network.eval(), f"{folder}/model", input_example=images.numpy(), serialization_format="pt2", pip_requirements=["torch"]
    )
