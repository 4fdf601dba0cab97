"""Who may call what of the Control API: a table of roles. It checks no certificate and forwards no request.

The table names every call of flwr 1.41.0 on purpose, so that a new Flower version is looked at before it is used. A
call that it does not name belongs to operators alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

CONTROL_PREFIX = "/v1/control/"
CONNECT = "/v1/federation/connect"
"""Answered by the gateway itself: which role a certificate has. `federation connect` asks it first."""


class Role(StrEnum):
    """What a client certificate's organizational unit may be."""

    OPERATOR = "operator"
    RESEARCHER = "researcher"
    AUDITOR = "auditor"


ROLE_MEANING: Mapping[Role, str] = {
    Role.OPERATOR: "everything: enrols and revokes nodes, starts and stops any run",
    Role.RESEARCHER: "starts runs, reads runs, logs and nodes, stops runs that the same person started",
    Role.AUDITOR: "reads runs, logs and nodes; changes nothing",
}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of the Control API."""

    name: str
    """Last part of its path."""
    action: str
    """Its word in the audit."""
    roles: frozenset[Role]
    own_run: frozenset[Role] = frozenset()
    """Roles of these that may call it for runs only that the same person started."""
    request_ids: Mapping[str, int]
    """Identifiers in the request, by their name in the audit: numbers of protobuf fields (integers)."""
    answer_ids: Mapping[str, int]
    """Identifiers in the answer, likewise."""

    @property
    def path(self) -> str:
        """Its whole path."""
        return f"{CONTROL_PREFIX}{self.name}"


_OPERATOR = frozenset({Role.OPERATOR})
_RESEARCH = frozenset({Role.OPERATOR, Role.RESEARCHER})
_EVERYONE = frozenset(Role)


def _call(
    name: str,
    action: str,
    roles: frozenset[Role] = _OPERATOR,
    *,
    own_run: frozenset[Role] = frozenset(),
    request: Mapping[str, int] | None = None,
    answer: Mapping[str, int] | None = None,
) -> Call:
    return Call(
        name=name,
        action=action,
        roles=roles,
        own_run=own_run,
        request_ids=request or {},
        answer_ids=answer or {},
    )


_CALLS = (
    _call("start-run", "run", _RESEARCH, answer={"run": 1}),
    _call("stop-run", "stop", _RESEARCH, own_run=frozenset({Role.RESEARCHER}), request={"run": 1}),
    _call("list-runs", "list", _EVERYONE),
    _call("list-run-series", "list", _EVERYONE),
    _call("get-run-series", "list", _EVERYONE),
    _call("list-run-series-events", "list", _EVERYONE),
    _call("stream-logs", "log", _EVERYONE, request={"run": 1}),
    _call("stream-run-events", "log", _EVERYONE, request={"run": 1}),
    _call("list-nodes", "list", _EVERYONE),
    _call("list-federations", "list", _EVERYONE),
    _call("show-federation", "list", _EVERYONE),
    _call("list-apps", "list", _EVERYONE),
    _call("list-app-associations", "list", _EVERYONE),
    _call("list-automations", "list", _EVERYONE),
    _call("register-node", "register", answer={"node": 1}),
    _call("unregister-node", "unregister", request={"node": 1}),
    _call("pull-artifacts", "pull-artifacts", request={"run": 1}),
    _call("update-run-series-description", "update-run-series-description"),
    _call("start-automation", "start-automation"),
    _call("stop-automation", "stop-automation"),
    _call("add-app", "add-app"),
    _call("remove-app", "remove-app"),
    _call("set-federation-icon", "set-federation-icon"),
    _call("create-federation", "create-federation"),
    _call("archive-federation", "archive-federation"),
    _call("add-node-to-federation", "add-node-to-federation", request={"node": 2}),
    _call("remove-node-from-federation", "remove-node-from-federation", request={"node": 2}),
    _call("remove-account-from-federation", "remove-account-from-federation"),
    _call("configure-simulation-federation", "configure-simulation-federation"),
    _call("create-invitation", "create-invitation"),
    _call("list-invitations", "list"),
    _call("accept-invitation", "accept-invitation"),
    _call("reject-invitation", "reject-invitation"),
    _call("revoke-invitation", "revoke-invitation"),
    _call("list-connectors", "list"),
    _call("disconnect-connector", "disconnect-connector"),
    _call("begin-connector-oauth", "begin-connector-oauth"),
    _call("complete-connector-oauth", "complete-connector-oauth"),
    _call("get-login-details", "login"),
    _call("get-auth-tokens", "login"),
    _call("refresh-auth-tokens", "login"),
)

CALLS: Mapping[str, Call] = {call.name: call for call in _CALLS}
"""Every call of flwr 1.41.0 by name; tests/parity/test_appliance_control_calls.py compares it with its own router."""


def allowed(role: Role, name: str) -> bool:
    """Whether a role may make a call; what the table does not name is for operators."""
    call = CALLS.get(name)
    return role in (call.roles if call is not None else _OPERATOR)


def calls_of(role: Role) -> tuple[Call, ...]:
    """The calls that a role may make, in the table's order."""
    return tuple(call for call in _CALLS if role in call.roles)


# What crypto/x509 (Go) prints for a subject has these characters only as separators or after a backslash.
_PLAIN = r'[^,+=\\"<>;#\x00-\x1f]{1,64}'


def subject_pattern(role: Role, federation: str) -> str:
    """A pattern for the whole subject of a role's certificate, as the gateway prints it.

    A name that holds a separator is printed with a backslash, which the pattern refuses: nobody's common name can pose
    as an organizational unit.
    """
    return rf"^CN={_PLAIN},OU={role.value},O={re.escape(federation)}$"


@dataclass(frozen=True, kw_only=True)
class Person:
    """The holder of a client certificate."""

    name: str
    role: Role


def person_of(subject: str, federation: str) -> Person | None:
    """Who a subject names; None where it is not a certificate of this federation's roles."""
    for role in Role:
        if re.fullmatch(subject_pattern(role, federation), subject):
            return Person(name=subject.removeprefix("CN=").partition(",")[0], role=role)
    return None


def render_table() -> str:
    """The table as Markdown, for docs/security.md."""
    lines = ["| call | audit word | operator | researcher | auditor |", "|---|---|---|---|---|"]
    for call in _CALLS:
        marks = [
            "own runs" if role in call.own_run else "yes" if role in call.roles else "-"
            for role in (Role.OPERATOR, Role.RESEARCHER, Role.AUDITOR)
        ]
        lines.append(f"| `{call.name}` | {call.action} | {' | '.join(marks)} |")
    lines.append("| any other | its own name | yes | - | - |")
    return "\n".join(lines) + "\n"
