"""What a forked process runs: imported there anew each time, so it needs next to nothing."""

import os
import sys
import tempfile


def command(folder: str, store: str, experiment: str, arguments: list[str]) -> None:
    """A study's command in a session of its own, its words into the pipe `words`."""
    os.setsid()
    words = os.open(f"{folder}/words", os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(words, stream)
    # The server's streams may be files, which can be sought in.
    sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
    os.chdir(folder)
    os.environ |= {"MLFLOW_EXPERIMENT_NAME": experiment, "MLFLOW_TRACKING_URI": store, "TMPDIR": folder}
    os.environ |= {"REGSTUDY_CHECKPOINTS": f"{folder}/checkpoints", "MLFLOW_DISABLE_TELEMETRY": "true"}
    tempfile.tempdir = None
    from regstudy.commands import cli
    from regstudy.study import speed

    speed.epoch_seconds = lambda *_: 1.0  # measuring takes seconds, at each start, and is another test's affair
    sys.exit(cli.main(arguments))
