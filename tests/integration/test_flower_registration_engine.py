"""SuperNodeRegistration through the real engine, against a real SuperLink."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pulumi_flower.control import Node, NodeState
from pulumi_flower.keys import parse_openssh
from tests.control_support import issue_client
from tests.flower_support import PULUMI_BIN, Authority, Superlink, public_line, running_superlink
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]

PROGRAM = """
import json, pathlib
import pulumi
import pulumi_flower

declared = json.loads(pathlib.Path("declared.json").read_text())
endpoint = declared["endpoint"]
ca_certificate = pathlib.Path("ca.crt").read_text()
if declared["gate"]:
    # What depends on the gate's node id is unknown in a preview.
    known = pulumi_flower.Provider("known", endpoint=declared["endpoint"], ca_certificate=ca_certificate)
    gate = pulumi_flower.SuperNodeRegistration(
        "gate", name="berlin/gate", public_key=declared["gate"], opts=pulumi.ResourceOptions(provider=known)
    )
    endpoint = gate.node_id.apply(lambda _: declared["endpoint"])
identity = json.loads(pathlib.Path("identity.json").read_text()) if pathlib.Path("identity.json").exists() else {}
superlink = pulumi_flower.Provider(
    "superlink", endpoint=endpoint, ca_certificate=ca_certificate, request_timeout_s=60, **identity
)
for resource_name, node in declared["nodes"].items():
    registration = pulumi_flower.SuperNodeRegistration(
        resource_name,
        name=node["name"],
        public_key=node["publicKey"],
        opts=pulumi.ResourceOptions(provider=superlink),
    )
    pulumi.export(resource_name, {"id": registration.node_id, "fingerprint": registration.fingerprint})
"""


@dataclass(kw_only=True)
class Project:
    """A Pulumi project in a temporary folder, with a backend and a home of its own."""

    folder: Path
    superlink: Superlink
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    endpoint: str | None = None
    gate: str | None = None

    def prepare(self) -> None:
        self.folder.mkdir()
        plugin = {"name": "flower", "path": str(PULUMI_BIN)}
        project = {"name": "registrations", "runtime": "python", "plugins": {"providers": [plugin]}}
        (self.folder / "Pulumi.yaml").write_text(json.dumps(project))
        (self.folder / "__main__.py").write_text(PROGRAM)
        (self.folder / "state").mkdir()
        self.pulumi("stack", "init", "test")

    def pulumi(self, *arguments: str, fails: bool = False) -> str:
        declared = {
            "endpoint": self.endpoint or self.superlink.endpoint,
            "gate": self.gate,
            "nodes": self.nodes,
        }
        (self.folder / "declared.json").write_text(json.dumps(declared))
        (self.folder / "ca.crt").write_text(self.superlink.authority.pem)
        environment = {
            **os.environ,
            "PATH": f"{PULUMI_BIN}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        result = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        output = result.stdout + result.stderr
        assert (result.returncode != 0) == fails, output
        return output

    def up(self, *arguments: str) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", "--suppress-progress", *arguments)

    def outputs(self) -> dict[str, Any]:
        return dict(json.loads(self.pulumi("stack", "output", "--json")))

    def declare(self, resource_name: str, *, key: str | None = None, name: str | None = None) -> str:
        line = key or public_line()
        self.nodes[resource_name] = {"name": name or f"berlin/{resource_name}", "publicKey": line}
        return line


@pytest.fixture(scope="module")
def superlink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superlink]:
    with running_superlink(tmp_path_factory.mktemp("superlink"), authority=Authority.make()) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, superlink: Superlink) -> Project:
    project = Project(folder=tmp_path / "project", superlink=superlink)
    project.prepare()
    return project


def node_of(superlink: Superlink, key: str) -> Node | None:
    fingerprint = parse_openssh(key).fingerprint
    found = [node for node in superlink.client().list_nodes() if node.key and node.key.fingerprint == fingerprint]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_preview_registers_nothing_and_an_up_does_once_and_a_destroy_revokes(
    project: Project, superlink: Superlink
) -> None:
    key = project.declare("supernode-0")

    preview = project.pulumi("preview", "--diff")
    assert "SuperNodeRegistration" in preview
    assert node_of(superlink, key) is None

    project.up()
    node = node_of(superlink, key)
    assert node is not None
    assert (node.name, node.state) == ("berlin/supernode-0", NodeState.REGISTERED)
    fingerprint = parse_openssh(key).fingerprint
    assert project.outputs()["supernode-0"] == {"id": str(node.node_id), "fingerprint": fingerprint}

    again = project.up()
    assert "3 unchanged" in again

    export = project.pulumi("stack", "export")
    assert "PRIVATE KEY" not in export
    assert f'"{node.node_id}"' in export

    project.pulumi("destroy", "--yes", "--skip-preview")
    revoked = node_of(superlink, key)
    assert revoked is not None
    assert revoked.state is NodeState.UNREGISTERED


def test_a_node_that_is_registered_already_is_adopted_and_can_be_imported(
    project: Project, superlink: Superlink
) -> None:
    adopted = project.declare("adopted")
    node_id = superlink.client().register_node(parse_openssh(adopted), "berlin/adopted")
    project.up()
    assert project.outputs()["adopted"]["id"] == str(node_id)

    imported_id = superlink.client().register_node(parse_openssh(public_line()), "paris/imported")
    project.pulumi(
        *("import", "flower:index:SuperNodeRegistration", "imported", str(imported_id)),
        *("--provider", f"superlink={provider_urn(project)}"),
        *("--yes", "--generate-code=false", "--protect=false"),
    )
    export = json.loads(project.pulumi("stack", "export"))
    resources = {resource["urn"].split("::")[-1]: resource for resource in export["deployment"]["resources"]}
    assert resources["imported"]["outputs"]["name"] == "paris/imported"
    assert resources["imported"]["id"] == str(imported_id)


def provider_urn(project: Project) -> str:
    resources = json.loads(project.pulumi("stack", "export"))["deployment"]["resources"]
    return str(next(r["urn"] for r in resources if r["type"] == "pulumi:providers:flower"))


def test_a_node_revoked_behind_pulumis_back_is_missed_by_refresh_and_its_key_named_in_the_error(
    project: Project, superlink: Superlink
) -> None:
    key = project.declare("lost")
    project.up()
    node = node_of(superlink, key)
    assert node is not None
    superlink.client().unregister_node(node.node_id)

    project.pulumi("refresh", "--yes", "--skip-preview")
    assert "SuperNodeRegistration" not in project.pulumi("stack", "export")

    error = project.pulumi("up", "--yes", "--skip-preview", fails=True)
    assert parse_openssh(key).fingerprint in error
    assert "Flower never lets an unregistered key in again" in error
    assert "provider.py" not in error


def test_a_new_key_registers_before_it_revokes_and_a_new_name_is_refused_at_preview(
    project: Project, superlink: Superlink
) -> None:
    old = project.declare("changing")
    project.up()

    project.declare("changing", key=old, name="berlin/renamed")
    refusal = project.pulumi("preview", fails=True)
    assert "Set `name` back to 'berlin/changing'" in refusal

    new = project.declare("changing")
    diff = project.pulumi("preview", "--diff")
    assert "replace" in diff
    assert "publicKey" in diff
    project.up()
    old_node, new_node = node_of(superlink, old), node_of(superlink, new)
    assert old_node is not None
    assert new_node is not None
    assert (old_node.state, new_node.state) == (NodeState.UNREGISTERED, NodeState.REGISTERED)
    assert old_node.name == new_node.name


def test_another_endpoint_for_the_same_superlink_replaces_no_registration(
    project: Project, superlink: Superlink
) -> None:
    key = project.declare("staying")
    project.up()
    before = node_of(superlink, key)
    project.endpoint = f"{superlink.address}:{superlink.port:05d}"
    project.up()
    assert node_of(superlink, key) == before


def test_an_endpoint_that_the_same_up_creates_is_unknown_in_the_preview_and_used_in_the_up(
    project: Project, superlink: Superlink
) -> None:
    key = project.declare("first")
    project.gate = public_line()
    assert "5 to create" in project.pulumi("preview")
    project.up()
    node = node_of(superlink, key)
    assert node is not None
    assert node.state is NodeState.REGISTERED


def test_a_resource_that_is_renamed_in_the_program_keeps_its_node(project: Project, superlink: Superlink) -> None:
    key = project.declare("before", name="berlin/keeps")
    project.up()
    del project.nodes["before"]
    project.declare("after", key=key, name="berlin/keeps")
    project.up()
    node = node_of(superlink, key)
    assert node is not None
    assert node.state is NodeState.REGISTERED


def test_a_superlink_that_does_not_answer_is_named_without_the_providers_stack_trace(project: Project) -> None:
    project.declare("unreachable")
    project.endpoint = f"{project.superlink.address}:9"
    error = project.pulumi("up", "--yes", "--skip-preview", fails=True)
    assert f"{project.superlink.address}:9 could not be reached" in error
    assert "transport.py" not in error


def test_the_clients_key_is_in_no_state_in_clear_and_a_new_certificate_replaces_no_registration(
    project: Project, superlink: Superlink
) -> None:
    def use(days: int) -> str:
        certificate, key = issue_client(superlink.authority, "central stack", "operator", days=days)
        identity = {"client_certificate": certificate, "client_key": key}
        (project.folder / "identity.json").write_text(json.dumps(identity))
        return key

    keys = [use(7)]
    declared = project.declare("with-identity")
    project.up()
    node = node_of(superlink, declared)
    keys.append(use(8))
    project.up()

    assert node_of(superlink, declared) == node
    state = "".join(path.read_text() for path in (project.folder / "state").rglob("*.json*"))
    for key in keys:
        assert json.dumps(key)[1:-1] not in state
        assert key.splitlines()[1] not in state
    assert "PRIVATE KEY" not in project.pulumi("stack", "export")
