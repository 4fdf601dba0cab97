"""The gateway's routes for the Control API: certificate, role, call. It renders Caddy's JSON and knows no file.

Order matters and is the whole of the protection: who has no certificate is refused first, then every role gets its own
list of calls, and whatever is left is refused. Each refusal is one JSON object with `detail`, which flwr's CLI (1.41.0)
prints, and leaves its reason in the access log, from which the audit is made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flower_appliance.metrics import CONTENT_TYPE
from flower_appliance.roles import CALLS, CONNECT, CONTROL_PREFIX, ROLE_MEANING, Call, Role, calls_of, subject_pattern

Json = dict[str, Any]

SUBJECT = "{http.request.tls.client.subject}"
FINGERPRINT = "{http.request.tls.client.fingerprint}"
QUESTION = "/may-stop"
"""Path under which the audit answers whether a person started a run."""
METRICS_URI = "/metrics"
"""Where Prometheus asks by default; here with the client certificate of any role."""
SUBJECT_HEADER = "X-Subject"
REQUEST_HEADER = "X-Request"

# A request that only names a run or a node has at most two integers of ten bytes, or a float beside one; a public key
# and a node's name are longer.
_MOST_REQUEST_BYTES = 256
_ANY_CALL = rf"^{CONTROL_PREFIX}[a-z0-9-]+$"

NO_CERTIFICATE = (
    "The Control API asks for a client certificate of this federation, and none was shown. Get one from the centre's "
    "operator (federation certificate export NAME) and open the way with: federation connect --certificate DIRECTORY"
)
UNKNOWN_CERTIFICATE = (
    "This certificate was issued by the federation's CA, but its subject names no role of this federation. Get one "
    "from the centre's operator (federation certificate export NAME)."
)
OUTSIDE = (
    "Your address is outside of the admin networks of this SuperLink. FL_ADMIN_NETWORKS names the networks that may "
    "use its Control API."
)
NOT_CONTROL = "This port serves the Control API, nothing else."
AWAY = "The gateway could not reach what stands behind it; the SuperLink's VM says why. Try again."


def control_routes(
    *, networks: Sequence[str], federation: str, superlink: Json, audit: str, metrics: str
) -> list[Json]:
    """Everything that the Control port does with a request.

    Args:
        networks: CIDRs that may reach it; none: nobody may.
        federation: organization that certificates must carry.
        superlink: the handler that forwards to the SuperLink.
        audit: `host:port` that is asked whether a run is a person's own.
        metrics: the file that every role may read under `METRICS_URI`.
    """
    within = [
        _when_uri(r"^/health$", [{"handler": "vars", "log_skip": True}, superlink]),
        {"match": [{"vars": {SUBJECT: [""]}}], **refuse(NO_CERTIFICATE)},
        *(
            {
                "match": [_matches(SUBJECT, subject_pattern(role, federation))],
                "handle": [
                    {"handler": "subroute", "routes": [_metrics(metrics), *_role_routes(role, superlink, audit)]}
                ],
                "terminal": True,
            }
            for role in Role
        ),
        refuse(UNKNOWN_CERTIFICATE),
    ]
    return [
        # Before anything else: Caddy 2.11.7 leaves out what would be added after a handler that a caller breaks off by
        # closing its connection, and nobody may go without a name in the audit by that (observed 2026-11-24).
        {"handle": [_log_early("subject", SUBJECT), _log_early("fingerprint", FINGERPRINT)]},
        *(
            [
                {
                    "match": [{"remote_ip": {"ranges": list(networks)}}],
                    "handle": [{"handler": "subroute", "routes": within}],
                    "terminal": True,
                }
            ]
            if networks
            else []
        ),
        refuse(OUTSIDE),
    ]


def refuse(detail: str) -> Json:
    """A terminal route that answers 403 with a sentence, and keeps it for the audit."""
    return {"handle": [_log_early("refused", detail), _answer(403, {"detail": detail})], "terminal": True}


def error_routes() -> Json:
    """What is answered where the SuperLink or the audit does not."""
    body = json.dumps({"detail": AWAY})
    handler = {
        "handler": "static_response",
        "status_code": "{http.error.status_code}",
        "headers": {"Content-Type": ["application/json"]},
        "body": body,
    }
    return {"routes": [{"handle": [handler]}]}


def _role_routes(role: Role, superlink: Json, audit: str) -> list[Json]:
    calls = calls_of(role)
    with_ids = [call for call in calls if call.request_ids or call.answer_ids or role in call.own_run]
    plain = [call.name for call in calls if call not in with_ids]
    rest = _ANY_CALL if role is Role.OPERATOR else rf"^{CONTROL_PREFIX}({'|'.join(plain)})$"
    connected = {"role": role.value, "meaning": ROLE_MEANING[role]}
    return [
        _when_uri(rf"^{CONNECT}$", [_answer(200, connected)]),
        *(_when_uri(rf"^{call.path}$", _call_handlers(call, role, superlink, audit)) for call in with_ids),
        _when_uri(rest, [superlink]),
        *(
            {"match": [_uri(rf"^{name}$")], **refuse(_may_not(role, call))}
            for name, call in ((call.path, call) for call in CALLS.values() if role not in call.roles)
            if role is not Role.OPERATOR
        ),
        {"match": [_uri(_ANY_CALL)], **refuse(f"Your role, {role.value}, may not make this call; an operator may.")},
        refuse(NOT_CONTROL),
    ]


def _metrics(path: str) -> Json:
    """The file, whatever else the URI would name; a scrape every few seconds is no line of the audit."""
    folder, _, name = path.rpartition("/")
    return _when_uri(
        rf"^{METRICS_URI}$",
        [
            {"handler": "vars", "log_skip": True},
            {"handler": "headers", "response": {"set": {"Content-Type": [CONTENT_TYPE]}}},
            {"handler": "rewrite", "uri": f"/{name}"},
            {"handler": "file_server", "root": folder},
        ],
    )


def _may_not(role: Role, call: Call) -> str:
    others = [other.value for other in Role if other in call.roles]
    return (
        f"Your role, {role.value}, may not call {call.name}; {' and '.join(others)} may. What your role does: "
        f"{ROLE_MEANING[role]}. Ask the centre's operator."
    )


def _call_handlers(call: Call, role: Role, superlink: Json, audit: str) -> list[Json]:
    handlers: list[Json] = []
    if call.request_ids or role in call.own_run:
        handlers += [
            {"handler": "request_body", "max_size": _MOST_REQUEST_BYTES},
            _log_early("request_body", "{http.request.body_base64}"),
        ]
    if call.answer_ids:
        handlers.append(_log("answer_body", "{http.response.body_base64}"))
    if role in call.own_run:
        handlers.append(_ask(audit))
    return [*handlers, superlink]


def _ask(audit: str) -> Json:
    """Go on only where the audit answers 2xx; otherwise its answer is the answer."""
    headers = {SUBJECT_HEADER: [SUBJECT], REQUEST_HEADER: ["{http.request.body_base64}"]}
    return {
        "handler": "reverse_proxy",
        "rewrite": {"method": "GET", "uri": QUESTION},
        "headers": {"request": {"set": headers}},
        "upstreams": [{"dial": audit}],
        "transport": {"protocol": "http", "dial_timeout": "2s", "response_header_timeout": "10s"},
        "handle_response": [
            {"match": {"status_code": [2]}, "routes": [{"handle": [{"handler": "vars"}]}]},
            {
                "match": {"status_code": [4]},
                "routes": [
                    {
                        "handle": [
                            _log("refused", "{http.reverse_proxy.header.X-Refused}"),
                            {"handler": "copy_response"},
                        ]
                    }
                ],
            },
        ],
    }


def _when_uri(pattern: str, handlers: list[Json]) -> Json:
    return {"match": [_uri(pattern)], "handle": handlers, "terminal": True}


def _uri(pattern: str) -> Json:
    # The URI as it was sent: what must first be decoded to be on a list is not on it.
    return _matches("{http.request.uri}", pattern)


def _matches(placeholder: str, pattern: str) -> Json:
    return {"vars_regexp": {placeholder: {"pattern": pattern}}}


def _log(key: str, value: str) -> Json:
    """Added to the request's line once it was answered."""
    return {"handler": "log_append", "key": key, "value": value}


def _log_early(key: str, value: str) -> Json:
    """Added to the request's line before it is handled, so that it is there whatever becomes of it."""
    return {**_log(key, value), "early": True}


def _answer(status: int, content: Json) -> Json:
    return {
        "handler": "static_response",
        "status_code": status,
        "headers": {"Content-Type": ["application/json"]},
        "body": json.dumps(content),
    }
