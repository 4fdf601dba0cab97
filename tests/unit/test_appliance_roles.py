"""Who may call what, and that the gateway's configuration says the same as the table."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from flower_appliance.control_routes import (
    METRICS_URI,
    NO_CERTIFICATE,
    NOT_CONTROL,
    OUTSIDE,
    QUESTION,
    UNKNOWN_CERTIFICATE,
    control_routes,
)
from flower_appliance.roles import CALLS, CONNECT, Role, allowed, person_of, subject_pattern
from flower_appliance.wire import read_integer

SUPERLINK = {"handler": "superlink"}
NETWORKS = ["10.0.0.0/24"]


def ask(subject: str, uri: str, *, address_is_admin: bool = True) -> dict[str, Any]:
    """What the routes do with a request, walked through as Caddy does: status, text, and whether it is forwarded."""
    routes = control_routes(
        networks=NETWORKS,
        federation="hospitals",
        superlink=SUPERLINK,
        audit="127.0.0.1:9095",
        metrics="/var/lib/flower/metrics/certificates.prom",
    )
    facts = {"{http.request.uri}": uri, "{http.request.tls.client.subject}": subject}

    def matches(route: dict[str, Any]) -> bool:
        for matcher in route.get("match", [{}]):
            for kind, wanted in matcher.items():
                if kind == "remote_ip" and not address_is_admin:
                    return False
                if kind == "vars" and any(facts[name] not in values for name, values in wanted.items()):
                    return False
                if kind == "vars_regexp" and any(
                    not re.search(rule["pattern"], facts[name]) for name, rule in wanted.items()
                ):
                    return False
        return True

    def walk(routes: list[dict[str, Any]]) -> dict[str, Any] | None:
        found: dict[str, Any] = {"logged": {}, "asked": False}
        for route in filter(matches, routes):
            for handler in route["handle"]:
                if handler["handler"] == "subroute":
                    inner = walk(handler["routes"])
                    if inner is not None:
                        return inner
                elif handler["handler"] == "static_response":
                    return {**found, "status": handler["status_code"], "body": json.loads(handler["body"])}
                elif handler == SUPERLINK:
                    return {**found, "status": 200, "body": None}
                elif handler["handler"] == "reverse_proxy":
                    assert handler["rewrite"]["uri"] == QUESTION
                    found["asked"] = True
                elif handler["handler"] == "rewrite":
                    found["file"] = handler["uri"]
                elif handler["handler"] == "file_server":
                    return {**found, "status": 200, "body": handler["root"] + found["file"]}
                elif handler["handler"] == "log_append":
                    found["logged"][handler["key"]] = handler["value"]
        return None

    answer = walk(routes)
    assert answer is not None, "a request without an answer would get an empty 200"
    return answer


def subject(role: str, name: str = "Ada Lovelace", federation: str = "hospitals") -> str:
    return f"CN={name},OU={role},O={federation}"


@pytest.mark.parametrize("call", CALLS.values(), ids=lambda call: call.name)
@pytest.mark.parametrize("role", Role)
def test_the_gateway_lets_through_what_the_table_allows_and_refuses_the_rest(role: Role, call: Any) -> None:
    answer = ask(subject(role), call.path)

    if role in call.roles:
        assert (answer["status"], answer["body"]) == (200, None)
        assert answer["asked"] is (role in call.own_run)
    else:
        assert answer["status"] == 403
        assert f"Your role, {role.value}, may not call {call.name}" in answer["body"]["detail"]
        assert answer["logged"]["refused"] == answer["body"]["detail"]


def test_a_call_that_no_table_knows_is_for_operators() -> None:
    path = "/v1/control/delete-everything"
    assert ask(subject("operator"), path)["status"] == 200
    for role in ("researcher", "auditor"):
        answer = ask(subject(role), path)
        assert answer["status"] == 403
        assert "an operator may" in answer["body"]["detail"]
        assert not allowed(Role(role), "delete-everything")


@pytest.mark.parametrize("role", Role)
def test_every_role_may_read_when_certificates_end_and_no_other_file(role: Role) -> None:
    assert ask(subject(role), METRICS_URI)["body"] == "/var/lib/flower/metrics/certificates.prom"
    for uri in (f"{METRICS_URI}/", f"{METRICS_URI}/../audit.jsonl", f"{METRICS_URI}?x", f"/x{METRICS_URI}"):
        assert ask(subject(role), uri)["status"] == 403
    assert ask("", METRICS_URI)["body"] == {"detail": NO_CERTIFICATE}
    assert ask(subject(role), METRICS_URI, address_is_admin=False)["body"] == {"detail": OUTSIDE}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("", NO_CERTIFICATE),
        ("CN=Flower SuperLink,O=hospitals", UNKNOWN_CERTIFICATE),
        (subject("operator", federation="others"), UNKNOWN_CERTIFICATE),
        (subject("root"), UNKNOWN_CERTIFICATE),
        (r"CN=x\,OU=operator\,O=hospitals,OU=visitor,O=hospitals", UNKNOWN_CERTIFICATE),
        (r"CN=x\,OU=operator,O=hospitals", UNKNOWN_CERTIFICATE),
        ("CN=x+OU=operator,OU=operator,O=hospitals", UNKNOWN_CERTIFICATE),
        ("CN=x,OU=operator,O=hospitals,C=DE", UNKNOWN_CERTIFICATE),
    ],
)
def test_whoever_shows_no_certificate_of_a_role_is_refused(given: str, text: str) -> None:
    answer = ask(given, "/v1/control/list-nodes")
    assert (answer["status"], answer["body"]["detail"]) == (403, text)


def test_an_operator_outside_of_the_admin_networks_is_refused() -> None:
    answer = ask(subject("operator"), "/v1/control/list-nodes", address_is_admin=False)
    assert (answer["status"], answer["body"]["detail"]) == (403, OUTSIDE)


@pytest.mark.parametrize(
    "uri",
    [
        "/v1/fleet/pull-messages",
        "/v1/runtime/acquire-task",
        "/docs",
        "/v1/control/list-nodes?x",
        "/v1/control/../fleet/x",
    ],
)
def test_the_port_serves_nothing_but_the_control_api_not_even_to_operators(uri: str) -> None:
    answer = ask(subject("operator"), uri)
    assert (answer["status"], answer["body"]["detail"]) == (403, NOT_CONTROL)


@pytest.mark.parametrize("role", Role)
def test_everyone_may_ask_which_role_he_has(role: Role) -> None:
    assert ask(subject(role), CONNECT)["body"]["role"] == role


def test_no_researcher_and_no_auditor_may_change_what_others_rely_on() -> None:
    for role in (Role.RESEARCHER, Role.AUDITOR):
        for name in ("register-node", "unregister-node", "create-federation", "stop-automation", "add-app"):
            assert not allowed(role, name)
    assert not any(allowed(Role.AUDITOR, name) for name in ("start-run", "stop-run"))


def test_a_person_is_read_from_the_subject_as_the_gateway_prints_it() -> None:
    person = person_of(subject("researcher", "José O'Neill"), "hospitals")
    assert person is not None
    assert (person.name, person.role) == ("José O'Neill", Role.RESEARCHER)
    assert person_of(subject("researcher"), "others") is None


def test_a_federations_name_is_taken_literally_in_the_pattern() -> None:
    pattern = subject_pattern(Role.OPERATOR, "a.b-c")
    assert re.search(pattern, "CN=x,OU=operator,O=a.b-c")
    assert not re.search(pattern, "CN=x,OU=operator,O=aXb-c")


@pytest.mark.parametrize(
    ("message", "number", "value"),
    [
        (b"", 1, None),
        (b"\x08\x96\x01", 1, 150),
        (b"\x08\x01\x08\x02", 1, 2),
        (b"\x12\x03abc\x08\x05", 1, 5),
        (b"\x11" + b"\0" * 8 + b"\x08\x05", 1, 5),
        (b"\x08" + b"\xff" * 9 + b"\x01", 1, 2**64 - 1),
        (b"\x10\x05", 1, None),
    ],
)
def test_an_integer_is_read_out_of_a_protobuf_message(message: bytes, number: int, value: int | None) -> None:
    assert read_integer(message, number) == value


@pytest.mark.parametrize("message", [b"\x08", b"\x12\x05ab", b"\x0b", b"\x08" + b"\xff" * 11, b"\x00"])
def test_what_is_no_protobuf_message_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_integer(message, 1)


def test_who_it_is_is_kept_before_a_request_is_handled_so_that_nobody_loses_his_name_by_hanging_up() -> None:
    routes = control_routes(
        networks=NETWORKS, federation="hospitals", superlink=SUPERLINK, audit="127.0.0.1:9095", metrics="/m"
    )
    first = routes[0]["handle"]
    assert [handler["key"] for handler in first] == ["subject", "fingerprint"]
    assert all(handler["early"] for handler in first)
