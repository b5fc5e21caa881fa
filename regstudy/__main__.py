"""`python -m regstudy`."""

import sys

from regstudy import terminal
from regstudy.cli import main

terminal.begin()
sys.exit(main())
