"""`image wheelhouse`: a disk that a guest finds by its label, with exactly the wheels of a locked list."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path

import pytest

from flower_federation.errors import InputError, ToolError
from flower_federation.imaging import cli
from tests.appliance_support import FLOWER_BIN, REPOSITORY
from tests.wheel_support import entry, wheel

pytestmark = pytest.mark.flower


def run(*words: str | Path) -> int:
    setting = cli.Setting(project=REPOSITORY, uv=lambda: FLOWER_BIN / "uv", environ=os.environ)
    parser = argparse.ArgumentParser()
    cli.add_actions(parser.add_subparsers(required=True), setting)
    arguments = parser.parse_args([str(word) for word in words])
    return int(arguments.handler(arguments))


def tool(*argv: str | Path) -> str:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=environment).stdout


def test_the_disk_has_its_label_and_the_lists_wheels_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = wheel(tmp_path / "wheels")
    (path.parent / "other-1.0-py3-none-any.whl").write_bytes(path.read_bytes())
    lock, disk = tmp_path / "extra.lock", tmp_path / "out" / "wheels.img"
    lock.write_text(f"{entry(path).text}\n")
    words = ("wheelhouse", lock, "--output", disk, "--find-links", path.parent, "--label", "mine", "--json")
    assert run(*words) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["label"], made["wheels"]) == ("mine", [path.name])
    assert tool("e2label", disk).strip() == "mine"
    tool("debugfs", "-R", f"dump /{path.name} {tmp_path / 'copy'}", disk)
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()
    assert "other-1.0" not in tool("debugfs", "-R", "ls -p /", disk)


def test_a_wheel_with_another_hash_makes_no_disk(tmp_path: Path) -> None:
    path = wheel(tmp_path / "wheels")
    lock, disk = tmp_path / "extra.lock", tmp_path / "wheels.img"
    lock.write_text(f"{entry(path).text}\n")
    wheel(tmp_path / "wheels", answer=13)
    with pytest.raises(ToolError, match="DO NOT MATCH THE HASHES"):
        run("wheelhouse", lock, "--output", disk, "--find-links", path.parent)
    with pytest.raises(InputError, match=r"no file[\s\S]*--generate-hashes"):
        run("wheelhouse", tmp_path / "missing.lock", "--output", disk)
    assert not disk.exists()
