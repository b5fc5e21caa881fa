"""`python -m analysis`."""

import sys

from analysis.cli import main
from regstudy import hooks, terminal

hooks.keep_secrets()
terminal.begin()
sys.exit(main())
