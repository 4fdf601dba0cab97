"""Entry point of `python -m flower_appliance`; everything is in `cli`."""

import sys

from flower_appliance.cli import main

sys.exit(main())
