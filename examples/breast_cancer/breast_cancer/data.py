"""A node's rows: read from its zone's file, cut down to its shard, split and standardised.

It needs numpy only (scikit-learn would add two seconds to every task of every node), fetches nothing, writes nothing,
and computes no statistic over rows that are not the node's own training rows.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FILE_NAME = "breast_cancer.csv"
LABEL = "benign"
TEST_EVERY = 4

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Rows and their labels.

    Attributes:
        features: one row an example, standardised.
        labels: 1.0 for benign, 0.0 for malignant.
    """

    features: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class NodeData:
    """What one node trains on, and what it tests on."""

    train: Examples
    test: Examples


def load(folder: Path, *, partition_id: int, num_partitions: int) -> NodeData:
    """The node's rows of its zone's file.

    Args:
        folder: the node's `data-path`.
        partition_id: which node of the federation this is.
        num_partitions: into how many shards the zone's rows are cut.

    Raises:
        ValueError: the file is no such table, or the shard is too small to train and test on.
    """
    if num_partitions < 1 or partition_id < 0:
        raise ValueError(f"partition-id={partition_id}, num-partitions={num_partitions}: the latter must be at least 1")
    features, labels = _read(folder / FILE_NAME)
    shard = partition_id % num_partitions
    rows = [np.flatnonzero(labels == label)[shard::num_partitions] for label in (0.0, 1.0)]
    train = np.concatenate([np.delete(of_label, np.s_[::TEST_EVERY]) for of_label in rows])
    test = np.concatenate([of_label[::TEST_EVERY] for of_label in rows])
    if any(len(of_label) < 2 for of_label in rows):
        raise ValueError(
            f"shard {shard} of {num_partitions} has {[len(of_label) for of_label in rows]} rows of the two classes in "
            f"{folder / FILE_NAME}: it needs two of each. Lower num-partitions (FL_NUM_PARTITIONS) of the zone."
        )
    mean, deviation = features[train].mean(axis=0), features[train].std(axis=0)
    standardised = (features - mean) / np.where(deviation > 0, deviation, 1.0)
    return NodeData(
        train=Examples(features=standardised[train], labels=labels[train]),
        test=Examples(features=standardised[test], labels=labels[test]),
    )


def _read(file: Path) -> tuple[Array, Array]:
    if not file.is_file():
        raise ValueError(f"no file {file}. Set data-path (FL_DATA_PATH) to the folder that holds {FILE_NAME}.")
    with file.open(newline="", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines)
    if header[-1] != LABEL or not rows:
        raise ValueError(f"{file} has no rows, or a last column other than {LABEL!r}. Make it with prepare.py.")
    table = np.array(rows, dtype=np.float64)
    return table[:, :-1], table[:, -1]
