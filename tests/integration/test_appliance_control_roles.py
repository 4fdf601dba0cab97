"""Roles and audit with the real SuperLink, gateway and `flwr`, through `federation connect` as people use it.

One SuperLink serves the module; what it did is read from its audit by the name of each test's own person.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from flower_appliance.audit_chain import Head, check_chain
from flower_appliance.metrics import CONTENT_TYPE, EXPIRY
from flower_appliance.roles import CALLS, Call, Role, allowed
from flower_federation.control_certificate import ControlCertificate, write_folder
from flower_federation.runs_cli import write_flwr_home
from flower_federation.tunnel import opened_tunnel
from pulumi_flower.control import ControlClient
from pulumi_flower.errors import RefusedError, SuperLinkError
from pulumi_flower.keys import parse_openssh
from pulumi_flower.transport import tls_context
from tests.appliance_support import REPOSITORY, ask, marked_processes, wait_until, whole_lines
from tests.control_support import ControlLab, control_lab, run_flwr
from tests.flower_support import public_line
from tests.integration.test_appliance_vms import command_line
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.flower, pytest.mark.slow]

APP = str(REPOSITORY / "examples/breast_cancer")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("control")) as lab:
        yield lab


@contextlib.contextmanager
def connected(certificate: ControlCertificate, folder: Path) -> Iterator[dict[str, Any]]:
    """`federation connect` in a process of its own, ended by Ctrl-C."""
    write_folder(folder / "certificate", certificate)
    command = [sys.executable, "-m", "flower_federation.cli", "connect", "--json"]
    command += ["--certificate", str(folder / "certificate"), "--home", str(folder / "home")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=PATIENCE_S)[1]
        yield json.loads(line)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.communicate()


def reach(certificate: ControlCertificate) -> tuple[int, str]:
    """One request with a certificate, past every client of ours; the answer, or why there is none."""
    context = tls_context(certificate.ca_certificate, identity=certificate.identity)
    host, port = certificate.endpoint.rsplit(":", 1)
    connection = http.client.HTTPSConnection(host, int(port), timeout=PATIENCE_S, context=context)
    try:
        connection.request("POST", "/v1/control/list-nodes", b"", {"content-type": "application/protobuf"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (ssl.SSLError, ConnectionError) as error:
        return 0, str(error)
    finally:
        connection.close()


def lines(lab: ControlLab, count: int, **wanted: Any) -> list[dict[str, Any]]:
    """Lines of the audit, once there are that many."""
    return wait_until(
        lambda: found if len(found := lab.audit(**wanted)) >= count else None, f"{count} audit lines with {wanted}"
    )


def test_without_a_certificate_the_control_port_refuses_and_says_what_is_missing(lab: ControlLab) -> None:
    status, text = ask(lab.authority, lab.address, 9093, "/v1/control/register-node")

    assert status == 403
    assert "federation connect" in json.loads(text)["detail"]
    assert lines(lab, 1, action="register", outcome="refused")[0]["actor"] is None


def test_the_admin_networks_still_count_for_whoever_has_a_certificate(lab: ControlLab) -> None:
    status, text = ask(lab.authority, lab.address, 9093, "/v1/control/list-nodes", source=f"{lab.network}.77")
    assert status == 403
    assert "FL_ADMIN_NETWORKS" in text
    assert lines(lab, 1, source=f"{lab.network}.77")[0]["outcome"] == "refused"


def test_an_expired_certificate_and_the_servers_own_get_no_connection_and_a_line_each(lab: ControlLab) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    expired = lab.certificate("Expired", "operator", start=start, days=1 / 48)
    server = lab.certificate("Server", "operator", usage=ExtendedKeyUsageOID.SERVER_AUTH)
    before = len(lab.audit(action="connect", outcome="refused"))

    assert reach(expired)[0] == 0
    assert reach(server)[0] == 0

    refused = lines(lab, before + 2, action="connect", outcome="refused")[before:]
    assert any("expired" in line["reason"] for line in refused)
    assert any("incompatible key usage" in line["reason"] for line in refused)


@pytest.mark.parametrize("name", ["Another CA", "x:1: nothing", "10.0.0.9:443: EOF", '\x1b[2J\n{"seq":1}'])
def test_a_certificate_of_another_ca_is_refused_and_audited_whatever_it_is_called(lab: ControlLab, name: str) -> None:
    def refusals() -> list[dict[str, Any]]:
        found = lab.audit(action="connect", outcome="refused", source="127.0.0.1")
        return [line for line in found if "unknown authority" in line["reason"]]

    before = len(refusals())
    assert reach(lab.strangers_certificate(name))[0] == 0

    told = wait_until(lambda: refusals()[before:], "the refusal in the audit")
    assert len(told) == 1
    assert told[0]["reason"].isprintable()


def test_a_certificate_of_no_role_is_refused_by_its_subject(lab: ControlLab) -> None:
    status, text = reach(lab.certificate("Visitor", "visitor"))
    assert status == 403
    assert "no role" in text
    assert lines(lab, 1, name="CN=Visitor,OU=visitor,O=hospitals")[0]["outcome"] == "refused"


def test_a_certificate_of_another_federation_of_the_same_ca_is_refused(lab: ControlLab) -> None:
    assert reach(lab.certificate("Neighbour", "operator", organization="others"))[0] == 403


def test_a_researcher_runs_lists_and_stops_his_own_run_and_nobody_elses(lab: ControlLab, tmp_path: Path) -> None:
    started = time.monotonic()
    with connected(lab.certificate("Ada", "researcher"), tmp_path / "ada") as ada:
        opened_s = time.monotonic() - started
        home = Path(ada["flwr_home"])
        assert ada["role"] == "researcher"
        run = run_flwr(home, "run", APP, "federation")
        assert run["success"], run
        run_id = str(run["run-id"])
        assert run_id in {entry["run-id"] for entry in run_flwr(home, "ls")["runs"]}

        with connected(lab.certificate("Grace Höpper", "researcher"), tmp_path / "grace") as grace:
            refused = run_flwr(Path(grace["flwr_home"]), "stop", run_id)
            assert not refused["success"]
            assert f"you did not start run {run_id}; Ada did" in refused["error-message"]

        began = time.monotonic()
        assert run_flwr(home, "stop", run_id)["success"]
        stopped_s = time.monotonic() - began
        registering = run_flwr(home, "supernode", "unregister", "5")
        assert "may not call unregister-node; operator may" in registering["error-message"]

    (ran,) = lines(lab, 1, name="Ada", action="run")
    assert (ran["outcome"], ran["run"], ran["status"]) == ("done", run_id, 200)
    assert [line["outcome"] for line in lines(lab, 1, name="Ada", action="stop", run=run_id)] == ["done"]
    assert [line["outcome"] for line in lines(lab, 1, name="Grace Höpper", action="stop")] == ["refused"]
    assert lines(lab, 1, name="Ada", action="connect")[0]["outcome"] == "done"
    assert lines(lab, 1, name="Ada", action="unregister")[0]["outcome"] == "refused"
    print(f"connect open after {opened_s:.1f} s, flwr stop took {stopped_s:.1f} s")


def test_no_form_of_a_request_makes_another_persons_run_ones_own(lab: ControlLab) -> None:
    start = f"POST /v1/control/stop-run HTTP/1.1\r\nHost: {lab.address}\r\nContent-Type: application/protobuf\r\n"
    body = b"\x08\x2a"
    oper = "X-Subject: CN=Op,OU=operator,O=hospitals\r\n"
    sized, chunked = "Content-Length: 2\r\n", "Transfer-Encoding: chunked\r\n"
    chunks = b"2\r\n" + body + b"\r\n0\r\n"
    padded = b"\x12\xc0\x02" + b"x" * 320 + body
    forms = {
        "chunks": f"{start}{chunked}Connection: close\r\n\r\n".encode() + chunks + b"\r\n",
        "trailers": f"{start}{chunked}Trailer: X-Subject\r\nConnection: close\r\n\r\n".encode()
        + chunks
        + f"{oper}\r\n".encode(),
        "two lengths": f"{start}{sized}{chunked}Connection: close\r\n\r\n".encode() + chunks + b"\r\n",
        "another subject": f"{start}{sized}{oper}X-Request: CCo=\r\nConnection: close\r\n\r\n".encode() + body,
        "headers of the hop": f"{start}{sized}Connection: X-Subject, X-Request, close\r\n\r\n".encode() + body,
        "more than is read": f"{start}Content-Length: {len(padded)}\r\nConnection: close\r\n\r\n".encode() + padded,
        "a second request": f"{start}Content-Length: 0\r\n\r\n{start}{sized}Connection: close\r\n\r\n".encode() + body,
    }
    certificate = lab.certificate("Mallory", "researcher")
    with ThreadPoolExecutor() as pool:
        answers = dict(zip(forms, pool.map(lambda form: exchange(certificate, form), forms.values()), strict=True))

    assert {name: set(statuses(answer)) for name, answer in answers.items()} == {name: {403} for name in forms}
    assert len(statuses(answers["a second request"])) == 2
    told = lines(lab, len(forms) + 1, name="Mallory", action="stop")
    assert {line["outcome"] for line in told} == {"refused"}


def exchange(certificate: ControlCertificate, sent: bytes) -> bytes:
    """Bytes through TLS, past every client; all that comes back until the gateway closes."""
    host, port = certificate.endpoint.rsplit(":", 1)
    context = tls_context(certificate.ca_certificate, identity=certificate.identity)
    with (
        socket.create_connection((host, int(port)), timeout=PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as tls,
    ):
        tls.sendall(sent)
        found = b""
        while piece := tls.recv(65_536):
            found += piece
        return found


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", answer)]


def test_an_auditor_reads_and_changes_nothing(lab: ControlLab, tmp_path: Path) -> None:
    with connected(lab.certificate("Eve", "auditor"), tmp_path) as eve:
        home = Path(eve["flwr_home"])
        assert run_flwr(home, "ls")["success"]
        assert run_flwr(home, "supernode", "list")["success"]
        for words in (("run", APP, "federation"), ("stop", "17"), ("supernode", "unregister", "17")):
            refused = run_flwr(home, *words)
            assert not refused["success"]
            assert "Your role, auditor, may not call" in refused["error-message"]

    assert {line["outcome"] for line in lines(lab, 3, name="Eve", outcome="refused")} == {"refused"}
    assert all(line["action"] in ("list", "connect") for line in lab.audit(name="Eve", outcome="done"))


@pytest.mark.parametrize("role", list(Role))
def test_each_call_of_flowers_is_let_through_or_refused_as_the_table_of_roles_says(lab: ControlLab, role: Role) -> None:
    certificate = lab.certificate(f"Every call as {role}", role)
    refused = {name: call_refused(certificate, call) for name, call in CALLS.items()}

    wanted = {name: "may not call" for name in CALLS if not allowed(role, name)}
    # An empty request names no run, so none is the caller's own.
    wanted |= {name: "names no run" for name, call in CALLS.items() if role in call.own_run}
    assert {name for name, text in refused.items() if text} == set(wanted)
    assert {name: part in refused[name] for name, part in wanted.items()} == dict.fromkeys(wanted, True)
    found = lines(lab, len(CALLS), name=certificate.facts.name)
    assert {line["route"].rpartition("/")[2] for line in found if line["status"] == 403} == set(wanted)


def call_refused(certificate: ControlCertificate, call: Call) -> str:
    """What the gateway says to a call with an empty request; empty where that reaches Flower, whatever comes of it."""
    context = tls_context(certificate.ca_certificate, identity=certificate.identity)
    host, port = certificate.endpoint.rsplit(":", 1)
    connection = http.client.HTTPSConnection(host, int(port), timeout=PATIENCE_S, context=context)
    try:
        connection.request("POST", call.path, b"", {"content-type": "application/protobuf"})
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 403 else ""
    finally:
        connection.close()


def test_prometheus_reads_with_an_auditors_certificate_when_certificates_end_and_leaves_no_line(
    lab: ControlLab,
) -> None:
    certificate = lab.certificate("Prometheus", "auditor")
    context = tls_context(certificate.ca_certificate, identity=certificate.identity)
    connection = http.client.HTTPSConnection(lab.address, 9093, timeout=PATIENCE_S, context=context)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()

    assert answer.status == 200
    assert answer.getheader("content-type") == CONTENT_TYPE
    peer = lab.superlink.root / "etc/flower/certs/server.crt"
    (leaf,) = x509.load_pem_x509_certificates(peer.read_bytes())
    assert re.search(rf'{EXPIRY}{{certificate="server",.*}} {leaf.not_valid_after_utc.timestamp():.0f}\n', text)
    assert ask(lab.authority, lab.address, 9093, "/metrics")[0] == 403
    assert ask(lab.authority, lab.address, 9092, "/metrics")[0] == 403
    assert lines(lab, 1, route="/metrics", outcome="refused")
    assert lab.audit(name="Prometheus") == []


def test_an_operators_client_registers_and_revokes_a_node_and_others_cannot(lab: ControlLab) -> None:
    operator, auditor = (lab.certificate(f"{role} client", role) for role in ("operator", "auditor"))
    client = ControlClient(operator.endpoint, operator.ca_certificate, identity=operator.identity)
    reading = ControlClient(auditor.endpoint, auditor.ca_certificate, identity=auditor.identity)
    key = parse_openssh(public_line())

    node = client.register_node(key, "berlin/supernode-1")
    assert node in {found.node_id for found in reading.list_nodes()}
    with pytest.raises(RefusedError, match="may not call unregister-node"):
        reading.unregister_node(node)
    assert client.unregister_node(node)
    with pytest.raises(SuperLinkError):
        ControlClient(operator.endpoint, operator.ca_certificate).list_nodes()

    for action in ("register", "unregister"):
        (line,) = lines(lab, 1, name="operator client", action=action)
        assert (line["node"], line["outcome"]) == (str(node), "done")
        assert line["actor"]["fingerprint"] == operator.facts.fingerprint
        assert line["actor"]["serial"] == operator.facts.serial


def test_connect_leaves_neither_port_nor_files_nor_a_key_that_others_can_read(lab: ControlLab, tmp_path: Path) -> None:
    with connected(lab.certificate("Tidy", "auditor"), tmp_path) as tidy:
        home = Path(tidy["flwr_home"])
        host, port = tidy["endpoint"].split(":")
        assert host == "127.0.0.1"
        modes = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}
        assert modes == {"config.toml": 0o600, "ca.crt": 0o600}
        assert "PRIVATE KEY" not in "".join(path.read_text() for path in home.iterdir())
    assert list(home.iterdir()) == []
    with pytest.raises(OSError, match="refused"):
        http.client.HTTPConnection(host, int(port), timeout=2).connect()


def test_an_expired_certificate_ends_connect_at_once_with_what_to_do(lab: ControlLab, tmp_path: Path) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    write_folder(tmp_path / "old", lab.certificate("Old", "operator", start=start, days=1 / 48))
    command = [sys.executable, "-m", "flower_federation.cli", "connect", "--certificate", str(tmp_path / "old")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert "expired at" in done.stderr
    assert "federation certificate export" in done.stderr


def test_an_audit_that_was_killed_takes_up_every_call_that_was_made_meanwhile_once(
    lab: ControlLab, tmp_path: Path
) -> None:
    client = lab.certificate("While away", "operator")
    (audit,) = [pid for pid in lab.superlink.pids("python") if "audit_run" in command_line(pid)]
    os.kill(audit, signal.SIGKILL)
    began = time.monotonic()
    for _ in range(20):
        assert reach(client)[0] == 200

    found = lines(lab, 20, name="While away")
    assert len(found) == 20
    print(f"20 calls during a kill were in the audit {time.monotonic() - began:.1f} s after it")


def test_the_audit_is_one_whole_chain_its_head_is_published_and_every_tampering_is_found(lab: ControlLab) -> None:
    head = wait_until(lambda: lab.superlink.attributes().get("FL_AUDIT_HEAD"), "the head in OneGate")
    published, text = Head.parse(head), whole_lines(lab.chain)

    began = time.monotonic()
    assert check_chain(text, published=published).intact
    print(f"{len(text)} lines verified in {time.monotonic() - began:.3f} s")
    assert not check_chain([line.replace("Ada", "Eve") for line in text]).intact
    assert not check_chain([text[0], *text[2:]]).intact
    assert not check_chain([text[1], text[0], *text[2:]]).intact
    assert not check_chain(text[: published.seq - 1], published=published).intact
    assert lab.chain.stat().st_mode & 0o777 == 0o600


def test_every_line_reaches_the_log_pipeline_and_no_secret_any_log(lab: ControlLab) -> None:
    logs = lab.superlink.root / "var/log/flower"
    text = whole_lines(lab.chain)
    wait_until(
        lambda: set(text) <= set((logs / "flower-audit.log").read_text().splitlines()),
        "every line in the unit's output",
    )
    everything = "".join(path.read_text(errors="replace") for path in logs.rglob("*") if path.is_file())
    assert "PRIVATE KEY" not in everything
    assert marked_processes(lab.superlink.mark)


def test_new_rules_for_the_gateway_are_an_event_of_the_appliance(lab: ControlLab) -> None:
    assert lines(lab, 1, action="configure")[0]["actor"] is None


def test_a_tunnel_that_cannot_reach_its_gateway_tells_flwr_why(lab: ControlLab, tmp_path: Path) -> None:
    away = lab.certificate("Lost", "operator")
    nowhere = ControlCertificate(
        certificate=away.certificate, key=away.key, ca_certificate=away.ca_certificate, endpoint=f"{lab.network}.9:9093"
    )
    with opened_tunnel(nowhere, now=lambda: datetime.now(UTC)) as opened:
        write_flwr_home(tmp_path, endpoint=opened.endpoint, ca_certificate=opened.ca_certificate)
        answer = run_flwr(tmp_path, "ls")
    assert not answer["success"]
    assert f"The gateway at {lab.network}.9:9093 cannot be reached" in answer["error-message"]
