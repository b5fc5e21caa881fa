"""`python -m regstudy`."""

import sys

from regstudy.commands.cli import main
from regstudy.console import hooks, terminal

hooks.keep_secrets()
terminal.begin()
sys.exit(main())
