"""`python -m regstudy`."""

import sys

from regstudy import hooks
from regstudy.cli import main

hooks.keep_secrets()
sys.exit(main())
