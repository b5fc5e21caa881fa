"""`python -m analysis`."""

import sys

from analysis.cli import main
from regstudy import terminal

terminal.begin()
sys.exit(main())
