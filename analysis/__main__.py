"""`python -m analysis`."""

import sys

from analysis.cli import main
from regstudy import hooks

hooks.keep_secrets()
sys.exit(main())
