"""`python -m regstudy`."""

import sys

from regstudy import hooks, terminal
from regstudy.cli import main

hooks.keep_secrets()
terminal.begin()
sys.exit(main())
