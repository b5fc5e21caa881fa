"""A command in a process of its own: what it printed, how long it took, how much memory."""

import json
import subprocess
import sys
from typing import NamedTuple

# A process counts its parent's memory as its own until it begins, so the parent is made a small one.
SMALL_PARENT = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
printed = process.stdout.read().decode()
_, status, usage = os.wait4(process.pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), printed, time.perf_counter() - start, usage.ru_maxrss]))
"""


class Done(NamedTuple):
    """What a process printed, its wall time in seconds, its peak memory in MB."""

    printed: str
    seconds: float
    memory: float


def run(*arguments: str) -> Done:
    """Run a Python command to its end; SystemExit if it fails."""
    command = [sys.executable, "-c", SMALL_PARENT, sys.executable, *arguments]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    status, printed, seconds, kilobytes = json.loads(told)
    if status:
        raise SystemExit(f"{' '.join(arguments)} ended with status {status}")
    return Done(printed, seconds, kilobytes / (1024 if sys.platform == "linux" else 1024**2))
