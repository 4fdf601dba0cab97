"""The example's pure parts: how the data is split, what a node reads of it, and that the model learns.

numpy and scikit-learn live in the Flower environment, so each test asks one process there, which answers in JSON.
"""

from __future__ import annotations

import csv
import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from flower_appliance.version import FLOWER_VERSION
from tests.flower_support import FLOWER_BIN, REPOSITORY

pytestmark = pytest.mark.flower

APP = REPOSITORY / "examples" / "breast_cancer"
HEADER = 1


def prepare(folder: Path, *zones: str) -> subprocess.CompletedProcess[str]:
    command = [FLOWER_BIN / "python", APP / "prepare.py", "--folder", folder, *zones]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def ask(code: str, *arguments: object) -> Any:
    """Run code in the Flower environment with the app importable; it prints JSON. `arguments` are its sys.argv[1:]."""
    result = subprocess.run(
        [FLOWER_BIN / "python", "-c", code, *map(str, arguments)], cwd=APP, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zones")
    result = prepare(folder, "berlin", "paris")
    assert result.returncode == 0, result.stderr
    return folder


def rows(file: Path) -> list[tuple[str, ...]]:
    with file.open(newline="") as lines:
        return [tuple(row) for row in csv.reader(lines)][HEADER:]


def test_the_zones_rows_are_disjoint_and_together_the_whole_data_set(zones: Path) -> None:
    berlin, paris = (rows(zones / zone / "data" / "breast_cancer.csv") for zone in ("berlin", "paris"))
    assert len(berlin) + len(paris) == 569
    assert not set(berlin) & set(paris)
    assert len(set(berlin)) == len(berlin)


def test_each_zone_has_both_classes_in_the_data_sets_proportion(zones: Path) -> None:
    for zone in ("berlin", "paris"):
        labels = [row[-1] for row in rows(zones / zone / "data" / "breast_cancer.csv")]
        assert (labels.count("0"), labels.count("1")) in {(106, 179), (106, 178)}


@pytest.mark.slow
def test_preparing_again_gives_the_same_files_and_does_not_overwrite_others(zones: Path, tmp_path: Path) -> None:
    assert prepare(tmp_path, "berlin", "paris").returncode == 0
    file = tmp_path / "berlin" / "data" / "breast_cancer.csv"
    assert file.read_text() == (zones / "berlin" / "data" / "breast_cancer.csv").read_text()
    assert prepare(tmp_path, "berlin", "paris").returncode == 0
    file.write_text("a hospital's own")
    refused = prepare(tmp_path, "berlin", "paris")
    assert refused.returncode == 1
    assert str(file) in refused.stderr
    assert file.read_text() == "a hospital's own"


def test_the_shards_of_a_zone_are_disjoint_and_together_its_rows(zones: Path) -> None:
    code = """
import json, sys
from pathlib import Path
from breast_cancer import data
found = []
for partition in range(4):
    node = data.load(Path(sys.argv[1]), partition_id=1000 + partition, num_partitions=4)
    found.append([len(node.train), len(node.test), node.test.labels.mean(), float(abs(node.train.features.mean()))])
print(json.dumps(found))
"""
    found = ask(code, zones / "berlin" / "data")
    assert sum(train + test for train, test, *_ in found) == 285
    for train, test, benign, mean in found:
        assert 2.5 < train / test < 3.0
        assert 0.55 < benign < 0.7
        assert mean < 1e-9, "features are standardised with the training rows' own mean"


def test_the_test_rows_of_a_node_influence_nothing_that_it_computes(zones: Path, tmp_path: Path) -> None:
    code = """
import json, sys
from pathlib import Path
import numpy as np
from breast_cancer import data
source, changed = Path(sys.argv[1]), Path(sys.argv[2])
lines = (source / data.FILE_NAME).read_text().splitlines()
first = {label: next(i for i, line in enumerate(lines[1:], 1) if line.endswith("," + label)) for label in "01"}
for number in first.values():  # each class's first row is a test row of shard 0
    lines[number] = ",".join(["1e6"] * 30 + [lines[number][-1]])
(changed / data.FILE_NAME).write_text("\\n".join(lines) + "\\n")
before, after = (data.load(folder, partition_id=0, num_partitions=4) for folder in (source, changed))
print(json.dumps([bool((before.train.features == after.train.features).all()),
                  int((before.test.features != after.test.features).any(axis=1).sum())]))
"""
    assert ask(code, zones / "berlin" / "data", tmp_path) == [True, 2]


@pytest.mark.parametrize("num_partitions", [1, 2, 3, 4])
def test_three_averaged_rounds_reach_the_accuracy_that_the_demo_promises(zones: Path, num_partitions: int) -> None:
    code = """
import json, sys
from pathlib import Path
from breast_cancer import data, model
zones, partitions = Path(sys.argv[1]), int(sys.argv[2])
settings = json.loads(sys.argv[3])
names = [("berlin", 1000), ("berlin", 1001), ("paris", 2000)]
nodes = [data.load(zones / z / "data", partition_id=p, num_partitions=partitions) for z, p in names]
weights = model.initial_weights()
for _ in range(settings["num-server-rounds"]):
    trained = [(len(n.train), model.train(weights, n.train, steps=settings["local-steps"],
                learning_rate=settings["learning-rate"], l2=settings["l2"])) for n in nodes]
    weights = sum(count * each for count, each in trained) / sum(count for count, _ in trained)
right = sum(len(n.test) * model.evaluate(weights, n.test)[1] for n in nodes)
print(json.dumps(right / sum(len(n.test) for n in nodes)))
"""
    settings = tomllib.loads((APP / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["config"]
    assert ask(code, zones, num_partitions, json.dumps(settings)) > 0.95


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("partition_id=0, num_partitions=0", "num-partitions=0"),
        ("partition_id=-1, num_partitions=1", "partition-id=-1"),
        ("partition_id=0, num_partitions=200", "FL_NUM_PARTITIONS"),
    ],
)
def test_a_shard_that_cannot_be_is_refused_with_what_to_change(zones: Path, arguments: str, said: str) -> None:
    code = f"""
import json, sys
from pathlib import Path
from breast_cancer import data
try:
    data.load(Path(sys.argv[1]), {arguments})
except ValueError as err:
    print(json.dumps(str(err)))
"""
    assert said in ask(code, zones / "berlin" / "data")


def test_a_node_without_its_file_says_which_folder_it_looked_in(tmp_path: Path) -> None:
    code = """
import json, sys
from pathlib import Path
from breast_cancer import data
try:
    data.load(Path(sys.argv[1]), partition_id=0, num_partitions=1)
except ValueError as err:
    print(json.dumps(str(err)))
"""
    said = ask(code, tmp_path)
    assert str(tmp_path) in said
    assert "FL_DATA_PATH" in said


def test_the_app_asks_for_the_flower_that_the_federation_runs_and_packs_no_data() -> None:
    project = tomllib.loads((APP / "pyproject.toml").read_text())
    assert f"flwr=={FLOWER_VERSION}" in project["project"]["dependencies"]
    assert "fab-format-version" not in project["tool"]["flwr"]["app"]
    assert not list(APP.rglob("*.csv"))
