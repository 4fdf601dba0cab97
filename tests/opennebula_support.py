"""A zone and a Pulumi project for tests of `pulumi_opennebula` through the real engine.

The zone is the one that OPENNEBULA_ENDPOINT, OPENNEBULA_FLOW_ENDPOINT, OPENNEBULA_USERNAME and OPENNEBULA_PASSWORD name
(a real OpenNebula, with OPENNEBULA_TEST_DATASTORE as the image datastore's id), otherwise a zonebox of the test's own.
Nothing here knows zonebox: docs/reference/testing.md.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import requests

from pulumi_opennebula.provider.client.oned import Oned
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.zone import Zone
from tests.patience import PATIENCE_S

REPOSITORY = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
Ended: TypeAlias = subprocess.CompletedProcess[str]
VARIABLES = (
    "OPENNEBULA_ENDPOINT",
    "OPENNEBULA_FLOW_ENDPOINT",
    "OPENNEBULA_USERNAME",
    "OPENNEBULA_PASSWORD",
    "OPENNEBULA_CA_FILE",
    "OPENNEBULA_INSECURE",
)


@dataclass(frozen=True, kw_only=True)
class TestZone:
    """How to reach the zone that the tests use."""

    __test__ = False

    environment: dict[str, str]
    datastore: int

    @property
    def settings(self) -> ZoneSettings:
        """The same as the provider's settings."""
        return ZoneSettings(
            endpoint=self.environment["OPENNEBULA_ENDPOINT"],
            flow_endpoint=self.environment["OPENNEBULA_FLOW_ENDPOINT"],
            username=self.environment["OPENNEBULA_USERNAME"],
            password=self.environment["OPENNEBULA_PASSWORD"],
            ca_file=self.environment.get("OPENNEBULA_CA_FILE"),
        )

    def zone(self) -> Zone:
        """A zone object of the provider's own."""
        return Zone(self.settings)

    def call(self, method: str, *arguments: Any) -> Any:
        """Call oned behind the provider's back, with the provider's own client."""
        oned = Oned(self.settings)
        return oned._call(method, arguments, False)

    def flow(self, method: str, path: str, body: Any = None) -> Any:
        """Send OneFlow a request behind the provider's back."""
        answer = requests.request(
            method,
            self.settings.flow_endpoint + path if self.settings.flow_endpoint else path,
            json=body,
            auth=(self.settings.username, self.settings.password),
            verify=self.settings.verify,
            timeout=PATIENCE_S,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None


def engine_environment(folder: Path, zone: Mapping[str, str]) -> dict[str, str]:
    """Environment of an engine that knows one zone, and keeps state and home in a folder.

    Args:
        folder: for the engine's home; its `state` folder is the backend.
        zone: variables that name the zone; empty: none.
    """
    return {
        **{name: value for name, value in os.environ.items() if name not in VARIABLES},
        **zone,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def ran(*command: str | Path, folder: Path, environment: Mapping[str, str], timeout_s: float = 2 * PATIENCE_S) -> Ended:
    """Run a program to its end, with nothing to read."""
    return subprocess.run(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@contextmanager
def a_zone(folder: Path) -> Iterator[TestZone]:
    """The zone of the environment, or a zonebox that is stopped at the end."""
    if os.environ.get("OPENNEBULA_ENDPOINT"):
        environment = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
        yield TestZone(environment=environment, datastore=int(os.environ.get("OPENNEBULA_TEST_DATASTORE", "1")))
        return
    # Not before: a run against another zone needs no zonebox.
    with importlib.import_module("tests.opennebula_own_zone").own_zone(folder) as environment:
        yield TestZone(environment=environment, datastore=1)


@dataclass(kw_only=True)
class Project:
    """A Pulumi project in a temporary folder, with a backend and a home of its own."""

    folder: Path
    zone: TestZone
    extra: dict[str, str] = field(default_factory=dict)
    tag: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    """In the names of everything that the project makes, so that runs against a shared zone do not meet."""

    def prepare(self) -> Project:
        """Make the folder and the stack."""
        self.folder.mkdir(parents=True)
        plugin = {"name": "opennebula", "path": str(BIN)}
        project = {"name": "zonetest", "runtime": "python", "plugins": {"providers": [plugin]}}
        (self.folder / "Pulumi.yaml").write_text(json.dumps(project))
        (self.folder / "state").mkdir()
        self.program("")
        self.pulumi("stack", "init", "test")
        return self

    def program(self, text: str) -> None:
        """Replace the program; `TAG` and `DATASTORE` are known to it."""
        head = (
            "import json\nimport pulumi\nimport pulumi_opennebula as one\n"
            f"TAG = {self.tag!r}\nDATASTORE = {self.zone.datastore}\n"
        )
        (self.folder / "__main__.py").write_text(head + text)

    def environment(self) -> dict[str, str]:
        """Environment of the engine."""
        return {**engine_environment(self.folder, self.zone.environment), **self.extra}

    def pulumi(self, *arguments: str, fails: bool = False) -> str:
        """Run the engine and return what it says."""
        result = ran(
            *("pulumi", *arguments, "--non-interactive", "--color", "never"),
            folder=self.folder,
            environment=self.environment(),
        )
        output = result.stdout + result.stderr
        assert (result.returncode != 0) == fails, output
        return output

    def up(self, *arguments: str, fails: bool = False) -> str:
        """`pulumi up` without asking."""
        return self.pulumi("up", "--yes", "--skip-preview", "--suppress-progress", *arguments, fails=fails)

    def preview(self, *arguments: str, fails: bool = False) -> str:
        """`pulumi preview --diff`."""
        return self.pulumi("preview", "--diff", "--suppress-progress", *arguments, fails=fails)

    def refresh(self) -> str:
        """`pulumi refresh` without asking."""
        return self.pulumi("refresh", "--yes", "--skip-preview", "--suppress-progress", "--diff")

    def destroy(self) -> str:
        """`pulumi destroy` without asking."""
        return self.pulumi("destroy", "--yes", "--skip-preview", "--suppress-progress")

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return dict(json.loads(self.pulumi("stack", "output", "--json", "--show-secrets")))

    def state(self) -> dict[str, dict[str, Any]]:
        """Resource name -> its entry in the state, secrets as ciphertext."""
        deployment = json.loads(self.pulumi("stack", "export"))["deployment"]
        return {entry["urn"].rsplit("::", 1)[1]: entry for entry in deployment.get("resources") or []}


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestZone]:
    """A zone of the module's own; import it where it is used."""
    with a_zone(tmp_path_factory.mktemp("zone")) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, zone: TestZone) -> Iterator[Project]:
    """A project of the test's own on the module's zone, whose resources are removed at the end."""
    project = Project(folder=tmp_path / "project", zone=zone).prepare()
    yield project
    project.destroy()


def squeezed(text: str) -> str:
    """What the engine says, without what it puts in to align it."""
    return re.sub(r" +", " ", text).replace(" :", ":")
