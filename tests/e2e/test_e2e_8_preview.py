"""The report of a change against its base, made by the real engine in real zones: the page in docs is such a report."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flower_federation.console import Console
from flower_federation.preview import compare, whole
from tests.e2e_support import DEMO_NETWORKS, REPOSITORY, Timing, free_networks, processes_of, wait_until
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.e2e, pytest.mark.trust, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]

EXAMPLE = REPOSITORY / "docs" / "reference" / "preview-example.md"
INTRODUCTION = """# A preview as it looks

What `scripts/preview --base main` wrote for a change that scales berlin from 2 to 3 SuperNodes and gives paris another
range of addresses. A test makes this report again and compares.

---

"""


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def copy_of_the_repository(folder: Path, networks: dict[str, int]) -> None:
    names = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, names.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name, follow_symlinks=False)
    for path in (folder / "stacks").glob("*.yaml"):
        text = path.read_text()
        for zone, number in DEMO_NETWORKS.items():
            text = text.replace(f"127.{number}.", f"127.<{zone}>.")
        for zone, number in networks.items():
            text = text.replace(f"127.<{zone}>.", f"127.{number}.")
        path.write_text(text)
    for name in (".venv", ".flower-env"):
        (folder / name).symlink_to((REPOSITORY / name).resolve())


def edit(folder: Path, stack: str, old: str, new: str) -> None:
    path = folder / "stacks" / f"Pulumi.{stack}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def as_documented(report: str, networks: dict[str, int]) -> str:
    for zone, number in networks.items():
        report = report.replace(f"127.{number}.", f"127.{DEMO_NETWORKS[zone]}.")
    return re.sub(r"main \([0-9a-f]{12}\)", "main", report)


def test_the_preview_of_a_change_is_the_one_that_docs_show(tmp_path: Path, timings: list[Timing]) -> None:
    networks = dict(zip(DEMO_NETWORKS, free_networks(len(DEMO_NETWORKS)), strict=True))
    copy_of_the_repository(tmp_path, networks)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "-qm", "base")
    git(tmp_path, "branch", "-M", "main")
    edit(tmp_path, "berlin-hospital", "supernodes: 2", "supernodes: 3")
    edit(tmp_path, "paris-lab", f"first: 127.{networks['paris']}.1.10", f"first: 127.{networks['paris']}.1.40")
    before = {path: path.read_text() for path in (tmp_path / "stacks").iterdir()}

    started = time.monotonic()
    report = compare(
        tmp_path,
        "main",
        environ={**os.environ, "PULUMI_BACKEND_URL": "file:///nowhere"},
        console=Console(stream=sys.stderr, clock=time.monotonic, total=4),
    )
    timings.append(Timing(what="preview of three stacks against a base", seconds=time.monotonic() - started))

    text = INTRODUCTION + as_documented(whole(report), networks)
    if os.environ.get("UPDATE_EXAMPLES") == "1":
        EXAMPLE.write_text(text, encoding="utf-8")
    assert text == EXAMPLE.read_text(encoding="utf-8")
    assert "PRIVATE KEY" not in text
    assert not (tmp_path / ".federation").exists()
    assert {path: path.read_text() for path in (tmp_path / "stacks").iterdir()} == before
    # A zone that says that it has stopped still has to end its process.
    wait_until(lambda: left_over() == {}, timeout_s=PATIENCE_S, what=lambda: f"gone: {left_over()}")


def left_over() -> dict[int, str]:
    """Processes that a preview has started, and that still run."""
    return {pid: line for pid, line in processes_of(Path("federation-preview-")).items() if "pytest" not in line}
