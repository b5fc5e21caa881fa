"""`python -m analysis`."""

import sys

from analysis.commands.cli import main
from regstudy.console import hooks, terminal

hooks.keep_secrets()
terminal.begin()
sys.exit(main())
