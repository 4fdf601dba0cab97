"""A SuperLink VM and SuperNode VMs, started by hand as the process driver starts them, with the real Flower and Caddy.

One SuperLink serves the module; tests that change it put it back. Each SuperNode belongs to one test.
"""

from __future__ import annotations

import base64
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flower_appliance.image import process_image
from pulumi_flower.identity import ClientIdentity
from tests.appliance_support import (
    FLOWER_BIN,
    REPOSITORY,
    TOKEN,
    Authority,
    FakeOneGate,
    Vm,
    ask,
    b64,
    free_network,
    make_authority,
    superlink_values,
    supernode_values,
    wait_until,
)
from tests.control_support import flwr, operator

pytestmark = [pytest.mark.flower, pytest.mark.slow]

ADMIN = "127.0.0.1/32"


class Lab:
    """One federation on a network of its own."""

    def __init__(self, folder: Path, onegate: FakeOneGate) -> None:
        self.folder = folder
        self.onegate = onegate
        self.network = free_network()
        self.ca = make_authority(start=datetime.now(UTC) - timedelta(hours=1))
        self.image = process_image(bin_dir=FLOWER_BIN, source=REPOSITORY / "src")
        self.superlink = self.vm(1, "superlink_0_(service_3)")
        self.superlink_values = {**superlink_values(self.ca, "localhost", self.address), "FL_ADMIN_NETWORKS": ADMIN}
        self.vms: list[Vm] = []

    @property
    def address(self) -> str:
        return f"{self.network}.2"

    def vm(self, vm_id: int, name: str) -> Vm:
        self.onegate.names[str(vm_id)] = name
        folder = self.folder / str(vm_id)
        folder.mkdir()
        return Vm(folder, vm_id, f"{self.network}.{vm_id + 1}", self.onegate)

    def supernode(self, *, data: bool = True, **changes: str) -> Vm:
        number = len(self.vms)
        vm = self.vm(number + 2, f"supernode_{number}_(service_3)")
        self.vms.append(vm)
        rows = vm.root / "srv/data/rows.csv"
        rows.parent.mkdir(parents=True)
        if data:
            rows.write_text("1,2\n")
        vm.write_context({**supernode_values(self.ca, f"{self.address}:9092"), **changes})
        vm.start(self.image)
        return vm

    def enrol(self, vm: Vm) -> str:
        key = self.folder / f"{vm.vm_id}.pub"
        key.write_bytes(base64.b64decode(vm.attributes()["FL_NODE_PUBKEY"]))
        answer = self.flwr("supernode", "register", str(key))
        assert answer["success"], answer
        return str(answer["node-id"])

    def flwr(self, *words: str) -> dict[str, Any]:
        return flwr(self.folder / "home", self.ca, f"{self.address}:9093", *words)

    def ask(
        self,
        port: int,
        path: str,
        *,
        method: str = "POST",
        source: str = "",
        identity: ClientIdentity | None = None,
    ) -> tuple[int, str]:
        return ask(self.ca, self.address, port, path, method=method, source=source, identity=identity)

    def logs(self) -> str:
        return "".join(
            path.read_text(errors="replace") for vm in (self.superlink, *self.vms) for path in vm.folder.rglob("*.log*")
        )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with FakeOneGate() as onegate:
        lab = Lab(tmp_path_factory.mktemp("lab"), onegate)
        lab.superlink.write_context(lab.superlink_values)
        lab.superlink.start(lab.image)
        try:
            lab.superlink.wait_for(READY="YES", FL_STATE="online")
            yield lab
        finally:
            for vm in (*lab.vms, lab.superlink):
                vm.stop()


def test_a_superlink_that_answers_through_its_gateway_is_ready(lab: Lab) -> None:
    attributes = lab.superlink.attributes()

    assert attributes["FL_ENDPOINT"] == f"{lab.address}:9092"
    assert attributes["FL_READY"] == "YES"
    assert attributes["FL_VERSION"] == "1.41.0"
    assert "FL_ERROR" not in attributes
    assert lab.ask(9092, "/health", method="GET")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/control/list-nodes",
        "/v1/control/register-node",
        "/v1/runtime/acquire-task",
        "/v1/fleet/../control/list-nodes",
        "/v1/fleet/%2e%2e/control/list-nodes",
        "/v1/fleet/..%2fcontrol/list-nodes",
        "//v1/control/list-nodes",
        "/v1/fleet/register-node",
        "/docs",
        "/openapi.json",
    ],
)
def test_a_client_without_credentials_reaches_nothing_but_the_fleet_calls_on_the_fleet_port(
    lab: Lab, path: str
) -> None:
    status, text = lab.ask(9092, path)

    assert status == 403
    assert "Fleet API" in text


def test_an_unsigned_fleet_call_is_refused_by_flower(lab: Lab) -> None:
    assert lab.ask(9092, "/v1/fleet/pull-messages")[0] == 401


def test_the_control_port_serves_the_admin_networks_only_and_the_control_api_only(lab: Lab) -> None:
    assert lab.ask(9093, "/v1/control/list-nodes", identity=operator())[0] == 200
    assert lab.ask(9093, "/v1/runtime/acquire-task", identity=operator())[0] == 403
    status, text = lab.ask(9093, "/v1/control/list-nodes", source=f"{lab.network}.77", identity=operator())
    assert status == 403
    assert "FL_ADMIN_NETWORKS" in text


def test_a_node_waits_is_enrolled_outlives_a_crash_of_the_superlink_and_can_be_revoked(lab: Lab) -> None:
    vm = lab.supernode()
    vm.wait_for(READY="YES", FL_STATE="waiting")
    assert vm.pids("flower-supernode") == []

    node_id = lab.enrol(vm)
    assert vm.wait_for(FL_STATE="online")["FL_NODE_ID"] == node_id

    (before,) = lab.superlink.pids("flower-superlink")
    os.kill(before, signal.SIGKILL)
    wait_until(
        lambda: [pid for pid in lab.superlink.pids("flower-superlink") if pid != before], "a new SuperLink process"
    )
    wait_until(
        lambda: (lab.flwr("supernode", "list").get("nodes") or [{}])[0].get("status") == "online",
        "the SuperLink sees the node again",
    )
    vm.wait_for(FL_STATE="online")
    lab.superlink.wait_for(FL_STATE="online", FL_READY="YES")

    assert lab.flwr("supernode", "unregister", node_id)["success"]
    vm.wait_for(FL_STATE="waiting")
    wait_until(lambda: vm.pids("flower-supernode") == [], "the revoked SuperNode is not started again")


def test_a_node_given_another_ca_sends_nothing_and_says_why(lab: Lab) -> None:
    other = make_authority(start=datetime.now(UTC) - timedelta(hours=1))
    vm = lab.supernode(FL_CA_CERT=b64(other.pem), FL_CA_FINGERPRINT=other.fingerprint)

    error = wait_until(lambda: lab.onegate.error_of(vm.vm_id), "FL_ERROR")

    assert "does not verify" in error
    assert vm.attributes().get("READY") != "YES"
    assert vm.pids("flower-supernode") == []


def test_a_node_without_data_is_not_ready_until_it_has_some(lab: Lab) -> None:
    vm = lab.supernode(data=False)

    error = wait_until(lambda: lab.onegate.error_of(vm.vm_id), "FL_ERROR")
    assert "is empty" in error
    assert vm.attributes().get("READY") != "YES"

    (vm.root / "srv/data/rows.csv").write_text("1,2\n")
    vm.wait_for(READY="YES", FL_STATE="waiting")
    wait_until(lambda: "FL_ERROR" not in vm.attributes(), "FL_ERROR withdrawn")


def test_a_refused_context_is_reported_and_starts_nothing(lab: Lab) -> None:
    vm = lab.supernode(FL_TLS_ENABLED="NO", FL_FLOWER_VERSION="1.30.0")

    error = wait_until(lambda: lab.onegate.error_of(vm.vm_id), "FL_ERROR")

    assert "FL_TLS_ENABLED is 'NO'" in error
    assert "1.30.0" in error
    assert vm.attributes().get("READY") != "YES"
    assert vm.pids("flower-supernode") == []


def test_reading_the_same_context_again_does_nothing_and_another_one_restarts_only_what_cannot_be_reloaded(
    lab: Lab,
) -> None:
    services = {name: lab.superlink.pids(name) for name in ("flower-superlink", "caddy")}
    log = lab.superlink.root / "var/log/flower/appliance.log"

    def reconfigure(seen: str) -> None:
        times = log.read_text().count(seen)
        assert lab.superlink.process is not None
        lab.superlink.process.send_signal(signal.SIGHUP)
        wait_until(lambda: log.read_text().count(seen) > times, seen)

    reconfigure("plan for a superlink: wrote nothing")
    lab.superlink.wait_for(FL_READY="YES")
    assert {name: lab.superlink.pids(name) for name in services} == services

    lab.superlink.write_context({**lab.superlink_values, "FL_ADMIN_NETWORKS": f"{ADMIN} {lab.network}.77/32"})
    reconfigure("plan for a superlink: wrote /etc/flower/gateway.json")
    wait_until(lambda: _control_status(lab) == 200, "the new admin network is let in")
    # `caddy reload` is a process, too, and ends a moment after its rules are in effect.
    wait_until(
        lambda: {name: lab.superlink.pids(name) for name in services} == services, "the same processes as before"
    )


def _control_status(lab: Lab) -> int:
    try:
        return lab.ask(9093, "/v1/control/list-nodes", source=f"{lab.network}.77", identity=operator())[0]
    except OSError:
        return 0


def test_a_second_boot_keeps_the_key_and_does_not_claim_to_be_ready_before_it_is(lab: Lab) -> None:
    vm = lab.supernode()
    key = vm.wait_for(READY="YES")["FL_NODE_PUBKEY"]
    vm.stop()
    assert vm.attributes()["FL_STATE"] == "offline"
    (vm.root / "srv/data/rows.csv").unlink()
    vm.start(lab.image)

    assert vm.wait_for(READY="NO", FL_READY="NO")["FL_NODE_PUBKEY"] == key
    assert "is empty" in wait_until(lambda: lab.onegate.error_of(vm.vm_id), "FL_ERROR")


def command_line(pid: int) -> str:
    """Of a process, which may have ended by now."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def test_no_secret_is_in_any_log_attribute_or_command_line(lab: Lab) -> None:
    logs = lab.logs()
    told = str(lab.onegate.requests) + str(lab.onegate.attributes)
    commands = "".join(command_line(pid) for vm in (lab.superlink, *lab.vms) for pid in vm.pids())
    for text in (logs, told, commands):
        assert text
        assert "PRIVATE KEY" not in text
        assert TOKEN not in text
        assert lab.superlink_values["FL_SERVER_KEY"] not in text


def test_a_superlink_that_lost_its_superexec_is_restarted_because_it_would_accept_runs_and_do_nothing(lab: Lab) -> None:
    (before,) = lab.superlink.pids("flower-superexec")
    os.kill(before, signal.SIGKILL)
    lab.superlink.wait_for(FL_READY="NO", FL_STATE="offline")

    assert "flower-superexec" in lab.onegate.error_of(lab.superlink.vm_id)
    lab.superlink.wait_for(FL_READY="YES", FL_STATE="online")
    assert lab.superlink.pids("flower-superexec") not in ([], [before])


def test_a_stranger_authority_cannot_read_the_server_as_its_own(lab: Lab) -> None:
    stranger: Authority = make_authority(start=datetime.now(UTC) - timedelta(hours=1))
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        ask(stranger, lab.address, 9092, "/health", method="GET")
