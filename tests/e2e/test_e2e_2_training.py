"""A real training on a federation that was brought up by hand: who takes part, how good the model is, over what."""

from __future__ import annotations

import socket
import ssl

import pytest

from pulumi_flower.control import NodeState
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import BERLIN, CENTRAL, PARIS, Project
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]


def test_three_rounds_complete_on_three_nodes_and_the_model_is_good(federation: Project) -> None:
    result = federation.train(rounds=3, nodes=3)

    assert result["status"] == "finished:completed"
    assert [each["number"] for each in result["rounds"]] == [1, 2, 3]
    assert {each["nodes"] for each in result["rounds"]} == {3}
    assert result["rounds"][-1]["accuracy"] > 0.93
    assert result["rounds"][-1]["loss"] < result["rounds"][0]["loss"]


def test_the_centre_knows_exactly_the_keys_that_the_zones_published(federation: Project) -> None:
    published = {
        node["name"]: node["fingerprint"]
        for stack in (BERLIN, PARIS)
        for node in federation.stack_outputs(stack)["nodes"]
    }
    enrolled = {node.name: node.key.fingerprint for node in federation.control().list_nodes() if node.key}

    assert sorted(published) == ["berlin/supernode-0", "berlin/supernode-1", "paris/supernode-0"]
    assert enrolled == published
    assert all(node.state is NodeState.ONLINE for node in federation.control().list_nodes())


def test_tls_and_node_authentication_are_on_and_cannot_be_done_without(federation: Project) -> None:
    madrid = ZoneView(federation.zones["madrid"])
    (vm_id,) = madrid.vms()
    (superlink,) = madrid.processes(vm_id, "/flower-superlink ").values()
    assert "--enable-supernode-auth" in superlink
    assert "--ssl-certfile" in superlink
    assert "--insecure" not in superlink
    for zone in ("berlin", "paris"):
        view = ZoneView(federation.zones[zone])
        for node in view.vms():
            (supernode,) = view.processes(node, "/flower-supernode ").values()
            assert "--auth-supernode-private-key" in supernode
            assert "--root-certificates" in supernode
            assert "--insecure" not in supernode

    outputs = federation.stack_outputs(CENTRAL)
    for port in (9092, 9093):
        address = (outputs["superlink_fleet_endpoint"].partition(":")[0], port)
        trusting = ssl.create_default_context(cadata=outputs["ca_certificate"])
        with (
            socket.create_connection(address, PATIENCE_S) as plain,
            trusting.wrap_socket(plain, server_hostname=address[0]) as tls,
        ):
            assert tls.version() in ("TLSv1.2", "TLSv1.3")
        # The federation's CA is its own: whoever trusts the machine's CAs only does not get through.
        with socket.create_connection(address, PATIENCE_S) as plain, pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(plain, server_hostname=address[0])
        with socket.create_connection(address, PATIENCE_S) as plain:
            plain.sendall(b"GET /health HTTP/1.1\r\nHost: superlink\r\n\r\n")
            assert b" 200 " not in plain.recv(1024).split(b"\r\n")[0]
