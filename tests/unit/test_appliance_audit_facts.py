"""What the gateway's log means. The lines are those of Caddy 2.11.7, recorded on 2026-11-24 and shortened."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flower_appliance.audit_events import Event, events_of, write_events
from flower_appliance.audit_facts import Fact, event_fact, gateway_fact
from flower_appliance.machine import CA_CERT, GATEWAY_CONFIG, SERVER_CERT

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BIG = 59628272496857631
SERIAL = "210870554440377050072993223187791993952634920119"


def request_line(
    uri: str, *, status: int = 200, subject: str = "CN=Ada,OU=researcher,O=hospitals", **more: Any
) -> bytes:
    tls = {"client_common_name": "Ada", "client_serial": SERIAL} if subject else {}
    record = {
        "level": "info",
        "ts": 1795509925.9892266,
        "logger": "http.log.access.control",
        "msg": "handled request",
        "request": {"remote_ip": "10.0.0.7", "method": "POST", "uri": uri, "tls": tls},
        "status": status,
        "subject": subject,
        "fingerprint": "f2274a",
        **more,
    }
    return json.dumps(record).encode()


def fact(line: bytes) -> Fact:
    found = gateway_fact(line, federation="hospitals", now=NOW)
    assert found is not None
    return found


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def body(value: int) -> str:
    return base64.b64encode(b"\x08" + varint(value)).decode()


def test_a_request_is_told_with_who_when_where_what_and_its_result() -> None:
    content = fact(request_line("/v1/control/list-nodes")).content()

    assert content == {
        "time": "2026-11-24T08:45:25.989227Z",
        "action": "list",
        "outcome": "done",
        "actor": {"name": "Ada", "role": "researcher", "serial": f"{int(SERIAL):X}", "fingerprint": "f2274a"},
        "source": "10.0.0.7",
        "route": "/v1/control/list-nodes",
        "status": 200,
    }


@pytest.mark.parametrize(
    ("uri", "more", "action", "ids"),
    [
        ("/v1/control/start-run", {"answer_body": body(BIG)}, "run", {"run": str(BIG)}),
        ("/v1/control/stop-run", {"request_body": body(BIG)}, "stop", {"run": str(BIG)}),
        ("/v1/control/stream-logs", {"request_body": body(BIG)}, "log", {"run": str(BIG)}),
        ("/v1/control/register-node", {"answer_body": body(2**64 - 1)}, "register", {"node": str(2**64 - 1)}),
        ("/v1/control/unregister-node", {"request_body": body(7)}, "unregister", {"node": "7"}),
        ("/v1/control/a-new-call", {}, "a-new-call", {}),
        ("/v1/federation/connect", {}, "connect", {}),
        ("/docs", {}, "request", {}),
    ],
)
def test_every_call_has_its_word_and_the_ids_that_it_names(
    uri: str, more: dict[str, str], action: str, ids: dict[str, str]
) -> None:
    found = fact(request_line(uri, **more))
    assert (found.action, found.outcome, found.ids) == (action, "done", ids)


def test_a_refusal_of_the_gateway_keeps_the_sentence_that_was_answered() -> None:
    found = fact(request_line("/v1/control/start-run", status=403, refused="Your role, auditor, may not"))
    assert (found.outcome, found.reason) == ("refused", "Your role, auditor, may not")


def test_an_error_of_flower_is_a_failure_with_its_text() -> None:
    answer = base64.b64encode(b'{"code": 23, "detail": "Public key already in use"}').decode()
    found = fact(request_line("/v1/control/register-node", status=412, answer_body=answer))
    assert (found.outcome, found.reason, found.ids) == ("failed", "Public key already in use", {})


def test_a_run_that_flower_did_not_make_although_it_answered_200_is_a_failure() -> None:
    assert fact(request_line("/v1/control/start-run", answer_body="")).outcome == "failed"


def test_a_certificate_of_no_role_is_named_by_its_whole_subject() -> None:
    found = fact(request_line("/v1/control/list-nodes", status=403, subject="CN=SuperLink,O=hospitals", refused="no"))
    assert found.actor is not None
    assert (found.actor.name, found.actor.role) == ("CN=SuperLink,O=hospitals", "")


def test_a_request_without_a_certificate_has_no_actor() -> None:
    assert fact(request_line("/v1/control/list-nodes", status=403, subject="", refused="no")).actor is None


HANDSHAKE = {"level": "debug", "ts": 1795509926.0, "logger": "http.stdlib"}


def test_a_handshake_that_failed_for_the_clients_certificate_is_a_refused_connect() -> None:
    message = "http: TLS handshake error from [::1]:41364: tls: failed to verify certificate: x509: expired"
    found = fact(json.dumps({**HANDSHAKE, "msg": message}).encode())
    assert (found.action, found.outcome, found.source) == ("connect", "refused", "::1")
    assert "expired" in found.reason


@pytest.mark.parametrize(
    "reason",
    [
        "tls: failed to parse client certificate: x509: malformed certificate",
        "tls: client didn't provide a certificate",
        "tls: client certificate contains an unsupported public key of type *dsa.PublicKey",
        "tls: client certificate used with invalid signature algorithm",
        "tls: client sent certificate containing RSA key larger than 8192 bits",
        "tls: invalid signature by the client certificate: ECDSA verification failure",
    ],
)
def test_every_fault_of_a_clients_certificate_is_told_also_that_of_one_without_its_key(reason: str) -> None:
    found = fact(json.dumps({**HANDSHAKE, "msg": f"http: TLS handshake error from 10.0.0.7:1: {reason}"}).encode())
    assert (found.action, found.outcome, found.source, found.reason) == ("connect", "refused", "10.0.0.7", reason)


@pytest.mark.parametrize(
    "name", ["x:1: nothing", ":1: remote error: EOF", "10.0.0.1:443: tls: failed to verify certificate"]
)
def test_a_name_in_a_strangers_certificate_hides_neither_its_refusal_nor_its_address(name: str) -> None:
    why = f'tls: failed to verify certificate: x509: certificate signed by unknown authority (possibly "{name}")'
    found = fact(json.dumps({**HANDSHAKE, "msg": f"http: TLS handshake error from [fd00::1]:7: {why}"}).encode())
    assert (found.action, found.outcome, found.source, found.reason) == ("connect", "refused", "fd00::1", why)


@pytest.mark.parametrize(
    "message",
    [
        "http: TLS handshake error from 10.0.0.7:1: EOF",
        "http: TLS handshake error from 10.0.0.7:1: remote error: tls: unknown certificate authority",
        "http2: server: error reading preface",
    ],
)
def test_other_messages_of_the_server_are_no_business_of_the_audit(message: str) -> None:
    line = json.dumps({**HANDSHAKE, "msg": message}).encode()
    assert gateway_fact(line, federation="hospitals", now=NOW) is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"ts": "soon", "logger": "http.log.access.control"}',
        b'{"ts": 1, "logger": "http.log.access.control", "request": {}, "status": 200}',
        b'{"ts": 1e300, "logger": "http.log.access.control"}',
    ],
)
def test_a_line_that_cannot_be_read_is_a_fact_and_not_a_gap(line: bytes) -> None:
    found = fact(line)
    assert (found.action, found.outcome, found.time) == ("unreadable", "failed", NOW)


def test_a_body_that_is_no_message_leaves_the_call_without_an_id() -> None:
    more = {"request_body": "request body: http: request body too large"}
    assert fact(request_line("/v1/control/stop-run", status=413, **more)).ids == {}


def test_a_new_server_certificate_is_a_rotation_and_the_first_one_is_not() -> None:
    assert events_of({}, {SERVER_CERT: "aa", CA_CERT: "cc"}) == []
    assert events_of({SERVER_CERT: "aa", CA_CERT: "cc"}, {SERVER_CERT: "bb", CA_CERT: "cc"}) == [
        Event(action="rotate", reason="server certificate: sha256 aa -> bb")
    ]


def test_rules_that_were_written_are_told_once() -> None:
    for before in ({}, {GATEWAY_CONFIG: "11"}):
        (event,) = events_of(before, {GATEWAY_CONFIG: "22"})
        assert event.action == "configure"
    assert events_of({GATEWAY_CONFIG: "22"}, {GATEWAY_CONFIG: "22"}) == []
    assert events_of({GATEWAY_CONFIG: "22"}, {}) == []


def test_events_come_back_as_they_were_written_and_readable_by_the_service_only(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    write_events(path, [Event(action="rotate", reason="server certificate: ä")], now=NOW)
    write_events(path, [], now=NOW)
    write_events(path, [Event(action="configure", reason="rules")], now=NOW + timedelta(seconds=1))

    facts = [event_fact(line, now=NOW) for line in path.read_bytes().splitlines()]

    assert [(found.action, found.reason, found.time) for found in facts if found is not None] == [
        ("rotate", "server certificate: ä", NOW),
        ("configure", "rules", NOW + timedelta(seconds=1)),
    ]
    assert path.stat().st_mode & 0o777 & ~0o640 == 0


def test_an_event_that_cannot_be_read_is_a_fact_too() -> None:
    found = event_fact(b"{", now=NOW)
    assert found is not None
    assert found.action == "unreadable"


def test_a_run_whose_caller_left_before_the_answer_is_not_said_to_have_been_refused() -> None:
    left = fact(request_line("/v1/control/start-run", duration=0, size=0))
    empty = fact(request_line("/v1/control/start-run", duration=0.02, size=0))

    assert (left.outcome, empty.outcome) == ("failed", "failed")
    assert "whether anything was made is not known" in left.reason
    assert empty.reason == "the answer names none, so nothing was made"
    assert left.actor is not None and left.actor.name == "Ada"
