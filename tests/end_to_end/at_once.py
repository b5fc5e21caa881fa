"""What processes that are forked do to a new store at once. Imported in each anew, so it needs next to nothing."""

import os
from multiprocessing.queues import SimpleQueue

EPOCHS = 3


def first_start(uri: str, answers: "SimpleQueue[str]") -> None:
    """What a process does to a store before anything else."""
    from regstudy.store import store
    from regstudy.tracking import ledger

    store.quieten()
    store.use(uri)
    store.require_writable()
    answers.put(ledger.experiment())


def log_a_run(number: int, folder: str) -> None:
    """What a training process does to the store, without the training."""
    import torch

    from regstudy.config import RunConfig
    from regstudy.data.datasets import Split, Splits
    from regstudy.design.trial import Trial
    from regstudy.schema import Metric
    from regstudy.store import store
    from regstudy.tracking import recorder

    os.chdir(folder)
    store.use(f"sqlite:///{folder}/mlflow.db")
    config = RunConfig(dataset="mnist-5k", seed=number)
    run_id = recorder.start("a run", recorder.identity(config, Trial(config, "none", "digest")))
    with recorder.at_work(run_id) as require_own:
        few = Split(torch.zeros(3, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64))
        tracked = recorder.describe(run_id, config, Splits("mnist-5k", few, None, few, "digest", "digest"), {}, require_own)
        for epoch in range(EPOCHS):
            tracked.log_epoch(dict.fromkeys(Metric, epoch + 0.5), epoch)
