"""`python -m regstudy`."""

import sys

from regstudy.cli import main

sys.exit(main())
