"""Splits scikit-learn's Wisconsin data set into one file a zone: `<folder>/<zone>/data/breast_cancer.csv`.

Runs in the Flower environment, where scikit-learn is. Files are disjoint, together they hold every row, and each has
the classes in the same proportion; the same zones give the same files. A file that exists with the same content is left
alone; one with other content is refused, because it may be a hospital's own.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

FILE_NAME = "breast_cancer.csv"
LABEL = "benign"
SEED = 2026


def split(labels: Sequence[int], zones: int) -> list[list[int]]:
    """Row numbers a zone: shuffled, in as equal numbers of each class as can be."""
    random = np.random.default_rng(SEED)
    rows: list[list[int]] = [[] for _ in range(zones)]
    for label in sorted(set(labels)):
        of_label = random.permutation(np.flatnonzero(np.array(labels) == label))
        for zone, part in enumerate(np.array_split(of_label, zones)):
            rows[zone] += part.tolist()
    return rows


def write(folder: Path, zones: Sequence[str]) -> list[Path]:
    """Write the zones' files and return their paths.

    Args:
        folder: holds a folder a zone.
        zones: names of the zones; their order matters.

    Raises:
        FileExistsError: a file of that name has other content.
        ValueError: no zone, or one twice.
    """
    if not zones or len(set(zones)) != len(zones):
        raise ValueError(f"zones {list(zones)}: each must be named once, and there must be one")
    source = load_breast_cancer()
    written = []
    for zone, rows in zip(zones, split(source.target.tolist(), len(zones)), strict=True):
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow([*(name.replace(" ", "_") for name in source.feature_names), LABEL])
        for row in rows:
            table.writerow([*(repr(float(value)) for value in source.data[row]), int(source.target[row])])
        file = folder / zone / "data" / FILE_NAME
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and file.read_text(encoding="utf-8") != text.getvalue():
            raise FileExistsError(f"{file} has other content; move it away, or name another folder")
        file.write_text(text.getvalue(), encoding="utf-8")
        written.append(file)
    return written


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: `prepare.py --folder FOLDER ZONE [ZONE ...]`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="folder that holds a folder a zone")
    parser.add_argument("zones", nargs="+", metavar="ZONE", help="zones that have data")
    arguments = parser.parse_args(argv)
    try:
        for file in write(arguments.folder, arguments.zones):
            print(file)
    except (FileExistsError, ValueError) as err:
        print(f"prepare: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
