"""`federation demo --driver nspawn`: three zones whose VMs are containers with the real image's root file system.

Interrupted while SuperNodes boot, run again to its end, and taken away; the host's own network stays as it was.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flower_federation.demo_containers import Containers
from tests.e2e_support import FEDERATION_COMMAND, Ended, Project, kill_processes_of, processes_of, wait_until
from tests.image_support import MARKS, require_tools, tool
from tests.patience import PATIENCE_S
from zonebox.drivers.nspawn_network import NETNS

pytestmark = [*MARKS, pytest.mark.engine, pytest.mark.flower]


@dataclass(frozen=True)
class Demo:
    """A clone of the demo's own."""

    project: Project
    containers: Containers
    host: str
    """The host's links, addresses and routes before the first run."""

    def run(self, *arguments: str) -> Ended:
        words = ("demo", "--driver", "nspawn", *arguments)
        python, folder = self.project.layout.bin / "python", self.project.folder
        return self.project.command(python, FEDERATION_COMMAND, str(folder), *words)

    def guests(self) -> list[str]:
        """Network namespaces of its guests, without the switch's name."""
        switch = self.containers.switch
        return sorted(path.name.removeprefix(f"{switch}-") for path in NETNS.glob(f"{switch}-*"))

    def mounts(self) -> list[str]:
        return [line for line in Path("/proc/mounts").read_text().splitlines() if str(self.project.folder) in line]


def host_network() -> str:
    return "".join(tool("ip", "-brief", *words) for words in (("link",), ("address",), ("route",)))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    require_tools()
    project = Project(folder=tmp_path_factory.mktemp("containers"), timings=[]).prepare()
    made = Demo(project, Containers(clone=project.folder), host_network())
    try:
        yield made
    finally:
        made.run("--down")
        kill_processes_of(project.folder)


@pytest.fixture(scope="module")
def interrupted(demo: Demo) -> Demo:
    """A demo that got Ctrl-C while its first SuperNode was booting."""
    log = demo.project.folder / "interrupted.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [demo.project.layout.bin / "python", FEDERATION_COMMAND, demo.project.folder, "demo", "--driver", "nspawn"],
            cwd=demo.project.folder,
            env=demo.project.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(
                lambda: process.poll() is not None or any("berlin" in guest for guest in demo.guests()),
                timeout_s=2 * PATIENCE_S,
                what=lambda: f"a guest in berlin\n{log.read_text()}",
            )
            process.send_signal(signal.SIGINT)
            returncode = process.wait(PATIENCE_S)
        finally:
            process.kill()
            process.wait()
    assert returncode == 130, log.read_text()
    return demo


@pytest.fixture(scope="module")
def result(interrupted: Demo) -> dict[str, Any]:
    """What the second run of the demo reported."""
    started = time.monotonic()
    ended = interrupted.run("--json")
    assert ended.returncode == 0, ended.text
    print(f"demo on containers: {time.monotonic() - started:.0f} s")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_an_interrupted_demo_goes_on_and_trains_on_three_containers(result: dict[str, Any], interrupted: Demo) -> None:
    assert result["status"] == "finished:completed"
    assert [each["nodes"] for each in result["rounds"]] == [3, 3, 3]
    assert result["rounds"][-1]["accuracy"] > 0.93
    assert [guest.rpartition("-")[0] for guest in interrupted.guests()] == ["berlin", "berlin", "madrid", "paris"]


def test_the_hosts_own_network_is_as_it_was(result: dict[str, Any], interrupted: Demo) -> None:
    assert result["status"] == "finished:completed"
    assert host_network() == interrupted.host


def test_down_leaves_nothing_behind(result: dict[str, Any], interrupted: Demo) -> None:
    assert result["status"] == "finished:completed"
    ended = interrupted.run("--down")
    assert ended.returncode == 0, ended.text
    wait_until(
        lambda: not processes_of(interrupted.project.folder),
        timeout_s=PATIENCE_S,
        what=lambda: f"gone: {processes_of(interrupted.project.folder)}",
    )
    assert (interrupted.guests(), interrupted.mounts()) == ([], [])
    assert not (NETNS / interrupted.containers.switch).exists()
    assert not interrupted.containers.project.exists()
    again = interrupted.run("--down")
    assert again.returncode == 0, again.text
