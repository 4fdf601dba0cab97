"""`python -m zonebox` is the `zonebox` command."""

import sys

from zonebox.cli import main

sys.exit(main())
