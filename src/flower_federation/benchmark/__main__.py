"""`python -m flower_federation.benchmark`."""

import sys

from flower_federation.benchmark.cli import main

if __name__ == "__main__":
    sys.exit(main())
