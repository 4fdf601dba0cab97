"""The `federation` command on a folder that stands for a clone. It adds nothing to the command and takes nothing away.

Usage: federation_command.py FOLDER [ARGUMENT ...]
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from flower_federation import cli, demo, operations_cli


def main(folder: Path, arguments: list[str]) -> int:
    """Run the command with the folder as its project."""

    def workplace(environ: Mapping[str, str] = os.environ) -> operations_cli.Workplace:
        return operations_cli.Workplace(project=folder, environ=environ)

    operations_cli.workplace = workplace
    demo.workplace = workplace
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
