"""`python -m analysis`."""

import sys

from regstudy.console import hooks, terminal

from .commands.cli import main

hooks.keep_secrets()
terminal.begin()
sys.exit(main())
