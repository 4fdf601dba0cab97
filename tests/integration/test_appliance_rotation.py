"""Certificates that change under running services: real Flower and Caddy in VMs started by hand.

The CONTEXT is rewritten as a driver does it, and nobody sends a signal: the appliance has to notice by itself.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from flower_appliance.pem import fingerprint
from pulumi_flower.control import ControlClient
from tests.appliance_support import (
    Authority,
    FakeOneGate,
    Vm,
    b64,
    make_authority,
    superlink_values,
    supernode_values,
    wait_until,
)
from tests.control_support import operator
from tests.integration.test_appliance_vms import ADMIN, Lab
from tests.patience import AT_ONCE_S, PATIENCE_S
from tests.presence_support import Presence
from tests.serverkey_support import sign

pytestmark = [pytest.mark.flower, pytest.mark.slow]

OFFLINE_LIMIT_S = 10.0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with FakeOneGate() as onegate:
        lab = Lab(tmp_path_factory.mktemp("rotation"), onegate)
        lab.superlink.write_context(lab.superlink_values)
        lab.superlink.start(lab.image)
        try:
            lab.superlink.wait_for(READY="YES", FL_STATE="online")
            yield lab
        finally:
            for vm in (*lab.vms, lab.superlink):
                vm.stop()


@pytest.fixture(scope="module")
def node(lab: Lab) -> Vm:
    vm = lab.supernode()
    vm.wait_for(READY="YES", FL_STATE="waiting")
    lab.enrol(vm)
    vm.wait_for(FL_STATE="online")
    return vm


def served(lab: Lab, *authorities: Authority) -> int:
    """Serial number of the certificate that the Fleet port shows to whoever trusts these authorities."""
    context = ssl.create_default_context(cadata="".join(each.pem for each in authorities))
    with (
        socket.create_connection((lab.address, 9092), PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname=lab.address) as tls,
    ):
        shown = tls.getpeercert()
        assert shown is not None
        return int(str(shown["serialNumber"]), 16)


def certificate_on(lab: Lab) -> x509.Certificate:
    """The server's certificate as it lies on the SuperLink's disk."""
    return x509.load_pem_x509_certificate((lab.superlink.root / "etc/flower/certs/server.crt").read_bytes())


def trusting(*authorities: Authority) -> dict[str, str]:
    """CONTEXT values of nodes and SuperLink that trust these authorities."""
    return {
        "FL_CA_CERT": b64("".join(each.pem for each in authorities)),
        "FL_CA_FINGERPRINT": " ".join(each.fingerprint for each in authorities),
    }


def pids(lab: Lab) -> dict[str, list[int]]:
    return {name: lab.superlink.pids(name) for name in ("flower-superlink", "flower-superexec", "caddy")}


def give(vm: Vm, values: dict[str, str], revision: str) -> None:
    """Change a VM's CONTEXT and wait until it says that it works with it."""
    vm.write_context({**values, "FL_CONTEXT_REVISION": revision})
    vm.wait_for(FL_CONTEXT_REVISION=revision)


def supernode_context(lab: Lab, *authorities: Authority) -> dict[str, str]:
    return {**supernode_values(lab.ca, f"{lab.address}:9092"), **trusting(*authorities)}


def test_a_renewed_server_certificate_is_served_without_a_restart_and_requests_under_way_go_on(
    lab: Lab, node: Vm
) -> None:
    before, processes, node_processes = served(lab, lab.ca), pids(lab), node.pids("flower-supernode")
    first = certificate_on(lab)
    context = ssl.create_default_context(cadata=lab.ca.pem)
    under_way = http.client.HTTPSConnection(lab.address, 9092, timeout=PATIENCE_S, context=context)
    under_way.putrequest("POST", "/v1/fleet/pull-messages")
    under_way.putheader("content-type", "application/protobuf")
    under_way.putheader("content-length", "2")
    under_way.endheaders(b"x")

    give(
        lab.superlink,
        {**lab.superlink_values, **superlink_values(lab.ca, lab.address), "FL_ADMIN_NETWORKS": ADMIN},
        "1",
    )

    assert served(lab, lab.ca) != before
    chain = lab.superlink.root / "var/log/flower/audit.jsonl"
    rotated = f'"reason":"server certificate: sha256 {fingerprint(first)} -> {fingerprint(certificate_on(lab))}"'
    wait_until(lambda: rotated in chain.read_text(), "the renewal in the audit")
    under_way.send(b"y")
    assert under_way.getresponse().status == 401, "the answer of Flower, through the connection from before"
    under_way.close()
    assert pids(lab) == processes
    assert node.pids("flower-supernode") == node_processes
    assert node.attributes()["FL_STATE"] == "online"


def test_a_superlink_moves_from_a_given_key_to_one_of_its_own_and_to_the_next_without_a_restart(
    lab: Lab, node: Vm
) -> None:
    processes = pids(lab)
    asking = {**lab.superlink_values, "FL_SERVER_NAMES": f"localhost 127.0.0.1 {lab.address}"}
    keys = lab.superlink.root / "etc/flower/certs"

    for epoch in ("0", "1"):
        asking |= {"FL_SERVER_KEY_EPOCH": epoch, "FL_SERVER_REQUEST": f"request {epoch}"}
        lab.superlink.write_context(asking)
        published = lab.superlink.wait_for(FL_SERVER_REQUEST=f"request {epoch}")
        served_meanwhile = served(lab, lab.ca)
        request = base64.b64decode(published["FL_SERVER_CSR"]).decode()
        certificate = sign(lab.ca, request)
        assert served_meanwhile != x509.load_pem_x509_certificate(certificate.encode()).serial_number
        asking |= {"FL_SERVER_CERT": b64(certificate), "FL_SERVER_KEY": ""}
        give(lab.superlink, asking, f"own key {epoch}")

        assert served(lab, lab.ca) == x509.load_pem_x509_certificate(certificate.encode()).serial_number
        assert [path.name for path in keys.glob("server*.key")] == [f"server-{epoch}.key"]
        # What is asked for next is answered although what the CONTEXT has then is over.
        asking |= {"FL_SERVER_CERT": b64(sign(lab.ca, request, end=datetime.now(UTC) - timedelta(minutes=1)))}
    assert pids(lab) == processes
    assert node.attributes()["FL_STATE"] == "online"


def test_a_revoked_node_comes_back_only_with_a_new_key_and_makes_one_only_when_it_is_told_to(
    lab: Lab, node: Vm
) -> None:
    vm = lab.supernode()
    first = vm.wait_for(READY="YES", FL_STATE="waiting")["FL_NODE_PUBKEY"]
    node_id = lab.enrol(vm)
    vm.wait_for(FL_STATE="online")
    others = node.pids("flower-supernode")

    assert lab.flwr("supernode", "unregister", node_id)["success"]
    vm.wait_for(FL_STATE="waiting")
    assert vm.attributes()["FL_NODE_PUBKEY"] == first, "by itself it keeps the key that nobody lets in"

    values = supernode_values(lab.ca, f"{lab.address}:9092")
    give(vm, {**values, "FL_NODE_KEY_EPOCHS": "supernode-1:1"}, "told")
    second = vm.attributes()["FL_NODE_PUBKEY"]
    assert second != first
    assert lab.enrol(vm) != node_id
    vm.wait_for(FL_STATE="online")
    assert node.pids("flower-supernode") == others


def test_a_ca_takes_over_from_another_while_the_node_is_away_for_less_than_ten_seconds(lab: Lab, node: Vm) -> None:
    old, new = lab.ca, make_authority(start=datetime.now(UTC) - timedelta(hours=1))
    processes = pids(lab)
    of_old = {**superlink_values(old, lab.address), "FL_ADMIN_NETWORKS": ADMIN}
    of_new = {**superlink_values(new, lab.address), "FL_ADMIN_NETWORKS": ADMIN}
    node_id = node.attributes()["FL_NODE_ID"]

    with Presence(lambda: control(lab, old, new), [node_id], key=lambda each: str(each.node_id)) as presence:
        give(lab.superlink, {**of_old, **trusting(old, new)}, "2")
        give(node, supernode_context(lab, old, new), "2")
        give(lab.superlink, {**of_new, **trusting(old, new)}, "3")
        give(node, supernode_context(lab, new), "4")
        give(lab.superlink, {**of_new, **trusting(new)}, "4")

    print(presence)
    assert served(lab, new)
    with pytest.raises(ssl.SSLCertVerificationError):
        served(lab, old)
    assert len(presence.departures[node_id]) == 2, f"one restart for each change of what the node trusts: {presence}"
    assert presence.within(OFFLINE_LIMIT_S), presence
    assert pids(lab) == processes, "neither the SuperLink nor the gateway was restarted"


def control(lab: Lab, *authorities: Authority) -> ControlClient:
    trusted = "".join(each.pem for each in authorities)
    return ControlClient(f"{lab.address}:9093", trusted, identity=operator(), timeout_s=AT_ONCE_S)
