"""`python -m benchmarks.exactness`."""

import sys

from benchmarks.exactness.command import main

sys.exit(main())
