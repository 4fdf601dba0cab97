"""A Pulumi project in a temporary folder, and the seconds and requests of the engine's commands on it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flower_federation.benchmark.zone import BenchZone
from flower_federation.environment import Layout
from flower_federation.errors import ToolError
from flower_federation.setup import project_folder

COMMAND_TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a step took."""

    seconds: float
    requests: int


def measured(zone: BenchZone, step: Callable[[], object]) -> Cost:
    """Seconds of a step, and requests that the zone got meanwhile."""
    zone.control.reset_counts()
    began = time.perf_counter()
    step()
    took = time.perf_counter() - began
    return Cost(seconds=took, requests=sum(zone.control.counts().values()))


class Stack:
    """A project with one stack, a backend and a home of its own.

    Args:
        folder: made by this.
        zone: the zone of its provider.
    """

    def __init__(self, folder: Path, zone: BenchZone) -> None:
        self._folder = folder
        self._bin = Layout(project=project_folder()).bin
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OPENNEBULA_", "PULUMI_"))},
            **zone.environment,
            "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "benchmark",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        (folder / "state").mkdir(parents=True)
        project = {
            "name": "bench",
            "runtime": "python",
            "plugins": {"providers": [{"name": "opennebula", "path": str(self._bin)}]},
        }
        (folder / "Pulumi.yaml").write_text(json.dumps(project), encoding="utf-8")
        self.program("")
        self.pulumi("stack", "init", "bench")

    def program(self, text: str) -> None:
        """Replace the program."""
        (self._folder / "__main__.py").write_text(text, encoding="utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of the engine."""
        return subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive", "--color", "never"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def pulumi(self, *arguments: str) -> str:
        """Run a command of the engine; what it printed.

        Raises:
            ToolError: it failed or took too long.
        """
        return finished(self.start(*arguments), " ".join(arguments))

    def up(self) -> str:
        """`pulumi up` without a preview."""
        return self.pulumi("up", "--yes", "--skip-preview", "--suppress-progress")

    def preview(self) -> str:
        """`pulumi preview`, which must find nothing to do."""
        return self.pulumi("preview", "--expect-no-changes", "--suppress-progress")

    def refresh(self) -> str:
        """`pulumi refresh`."""
        return self.pulumi("refresh", "--yes", "--skip-preview", "--suppress-progress")

    def destroy(self) -> str:
        """`pulumi destroy`."""
        return self.pulumi("destroy", "--yes", "--skip-preview", "--suppress-progress")

    def resources(self) -> int:
        """How many resources of OpenNebula the state has."""
        entries = json.loads(self.pulumi("stack", "export"))["deployment"].get("resources") or []
        return sum(1 for entry in entries if entry["type"].startswith("opennebula:"))


def finished(process: subprocess.Popen[str], what: str) -> str:
    """Wait for a command that `Stack.start` started; what it printed. Raises ToolError."""
    try:
        output, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    if process.returncode != 0:
        raise ToolError(
            given=f"pulumi {what} ended with status {process.returncode}",
            rule="every measured command must succeed",
            reason="a failed one takes another time: " + " / ".join(output.strip().splitlines()[-8:]),
            remedy="run scripts/setup, then scripts/bench again",
        )
    return output
