"""Who is kept out: nodes that nobody enrolled, clients without credentials, nodes that were given another CA."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e_support import CENTRAL, Ended, Project, Timing, kill_processes_of
from tests.flower_support import FLOWER_BIN, Authority, node_key
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]

# Every route of the SuperLink that this flwr has, Fleet's apart.
_ROUTES = """
import json
from flwr.superlink.routers.control.router import router as control
from flwr.supercore.protobuf import translation
found = {route.path for route in control.routes}
for table in vars(translation).values():
    if isinstance(table, dict):
        found |= {key[1] for key in table if isinstance(key, tuple) and len(key) == 2}
print(json.dumps(sorted(path for path in found if not path.startswith("/v1/fleet/"))))
"""
_TRICKS = (
    "/v1/fleet/../control/list-nodes",
    "/v1/fleet/%2e%2e/control/list-nodes",
    "/v1/fleet//../../v1/runtime/acquire-task",
    "//v1/control/list-nodes",
    "/v1/fleet/pull-messages/../../control/start-run",
    "/v1/fleet/register-node",
    "/v1/fleet/unregister-node",
    "/docs",
    "/openapi.json",
    "/flwr.proto.Control/ListNodes",
    "/",
)


def test_a_node_that_nobody_enrolled_is_refused(federation: Project, tmp_path: Path) -> None:
    outputs = federation.stack_outputs(CENTRAL)
    before = federation.control().list_nodes()

    ended = start_supernode(federation, tmp_path, outputs["superlink_fleet_endpoint"], outputs["ca_certificate"])

    assert ended.returncode != 0
    assert "2004" in ended.text, ended.text
    assert {node.node_id for node in federation.control().list_nodes()} == {node.node_id for node in before}


def test_a_node_that_was_given_another_ca_does_not_connect(federation: Project, tmp_path: Path) -> None:
    outputs = federation.stack_outputs(CENTRAL)
    before = federation.control().list_nodes()

    ended = start_supernode(federation, tmp_path, outputs["superlink_fleet_endpoint"], Authority.make("another CA").pem)

    assert ended.returncode != 0
    assert "CERTIFICATE_VERIFY_FAILED" in ended.text, ended.text
    assert {node.node_id for node in federation.control().list_nodes()} == {node.node_id for node in before}


def test_a_client_without_credentials_reaches_neither_control_nor_runtime_through_the_fleet_port(
    federation: Project,
) -> None:
    outputs = federation.stack_outputs(CENTRAL)
    host, _, port = outputs["superlink_fleet_endpoint"].partition(":")
    connection = http.client.HTTPSConnection(
        host, int(port), timeout=PATIENCE_S, context=ssl.create_default_context(cadata=outputs["ca_certificate"])
    )
    routes = json.loads(federation.succeed(FLOWER_BIN / "python", "-c", _ROUTES))
    assert "/v1/control/list-nodes" in routes
    assert "/v1/runtime/acquire-task" in routes

    answers = {}
    for path in (*routes, *_TRICKS):
        # Sent as it stands: a client of good manners would take the dots away.
        connection.putrequest("POST", path, skip_accept_encoding=True)
        connection.putheader("content-type", "application/protobuf")
        connection.putheader("content-length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        answers[path] = answer.status
    assert answers == dict.fromkeys((*routes, *_TRICKS), 403)

    connection.request("POST", "/v1/fleet/pull-messages", body=b"", headers={"content-type": "application/protobuf"})
    answer = connection.getresponse()
    assert answer.status == 401, "Fleet itself asks for a node's signature"
    assert b"SuperNode authentication" in answer.read()
    connection.close()


def start_supernode(federation: Project, folder: Path, superlink: str, ca_certificate: str) -> Ended:
    """A SuperNode with a fresh key, as Flower starts it; it must end by itself.

    Its executor outlives it (flwr 1.41.0) and is ended here; it holds the streams, so they are a file and no pipes.
    """
    key, ca, log = folder / "node.key", folder / "ca.crt", folder / "supernode.log"
    key.touch(mode=0o600)
    key.write_text(node_key()[0])
    ca.write_text(ca_certificate)
    address = f"{superlink.rsplit('.', 1)[0]}.250"
    started = time.monotonic()
    try:
        with log.open("wb") as output:
            node = subprocess.Popen(
                [
                    *(FLOWER_BIN / "flower-supernode", "--superlink", superlink, "--root-certificates", ca),
                    *("--auth-supernode-private-key", key, "--host", address, "--port", "9094"),
                ],
                env={
                    **federation.environment(),
                    "FLWR_HOME": str(folder / "flwr"),
                    "PATH": f"{FLOWER_BIN}:/usr/bin:/bin",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        returncode = node.wait(PATIENCE_S)
    finally:
        kill_processes_of(folder)
    seconds = time.monotonic() - started
    federation.timings.append(Timing(what="a SuperNode that is refused", seconds=seconds))
    return Ended(returncode=returncode, stdout=log.read_text(errors="replace"), stderr="", seconds=seconds)
