"""Renders the gateway's configuration: Caddy in front of the SuperLink. It starts nothing and opens no port.

Flower serves every API on one port and authenticates the Fleet API only (flwr 1.41.0), so what a port lets through is
decided here: Fleet on 9092, Control on 9093 for the admin networks and client certificates, everything else 403. Paths
are matched as an exact list against the URI as it was sent, not as it might be normalised: what is not written down
literally is refused.
"""

from __future__ import annotations

import json
from typing import Any

from flower_appliance.context import SuperLinkContext
from flower_appliance.control_routes import control_routes, error_routes
from flower_appliance.machine import (
    AUDIT_PORT,
    CERTIFICATE_METRICS,
    CONTROL_CA,
    CONTROL_PORT,
    FLEET_PORT,
    LOGS,
    LOOPBACK_CA,
    SERVER_CERT,
    STATE,
    SUPERLINK_PORT,
    Machine,
    endpoint,
)

Json = dict[str, Any]

GATEWAY_STATE = f"{STATE}/gateway"
ACCESS_LOG = f"{LOGS}/gateway-access.log"
ADMIN_SOCKET = "unix/admin.sock"
"""Where the gateway takes a new configuration: a socket in its own folder, which nobody else may enter. Relative to the
folder that it runs in, since a socket's path may have 108 bytes only (unix(7)), and a process VM's root is deep."""
LOOPBACK_NAME = "localhost"
"""Name in the certificate that the SuperLink serves to the gateway."""
CONTROL_LOG = f"{LOGS}/gateway-control.log"
"""Every request to the Control port, and every TLS handshake that failed; the audit is made from it."""

MOST_HEADER_BYTES = 32_768

# Calls of an authenticated SuperNode in flwr 1.41.0. register-node and unregister-node are missing on purpose: only
# nodes without authentication use them, and enrolment is the Control API's business.
FLEET_CALLS = (
    "activate-node",
    "deactivate-node",
    "send-node-heartbeat",
    "pull-messages",
    "push-messages",
    "get-run",
    "get-fab",
    "push-object",
    "pull-object",
    "confirm-message-received",
)
_FLEET_URI = rf"^(/v1/fleet/({'|'.join(FLEET_CALLS)})|/health)$"
_CERTIFICATE_TAG = "server"


def gateway_config(context: SuperLinkContext, machine: Machine, *, server_key: str) -> str:
    """Caddy's JSON configuration.

    Args:
        context: What the SuperLink is told.
        machine: Where it runs.
        server_key: Guest path of the key of the server's certificate.
    """
    config: Json = {
        "admin": {"listen": ADMIN_SOCKET, "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(machine.path(GATEWAY_STATE))},
        "logging": _logging(context, machine),
        "apps": {
            "tls": {
                "certificates": {
                    "load_files": [
                        {
                            "certificate": str(machine.path(SERVER_CERT)),
                            "key": str(machine.path(server_key)),
                            "tags": [_CERTIFICATE_TAG],
                        }
                    ]
                }
            },
            "http": {
                "grace_period": "3s",
                "servers": {
                    "fleet": _server(
                        endpoint(machine.address, FLEET_PORT),
                        [
                            _when_uri(_FLEET_URI, [_to_superlink(machine)]),
                            _refuse("403: this port serves the Fleet API to enrolled SuperNodes, nothing else.\n"),
                        ],
                    ),
                    "control": _control(context, machine),
                },
            },
        },
    }
    return json.dumps(config, indent=1, sort_keys=True) + "\n"


def _server(listen: str, routes: list[Json]) -> Json:
    return {
        "listen": [f"tcp/{listen}"],
        "protocols": ["h1", "h2"],
        "automatic_https": {"disable": True},
        # Selected by tag: clients dial an IP address and then send no server name to choose by.
        "tls_connection_policies": [
            {"protocol_min": "tls1.2", "certificate_selection": {"any_tag": [_CERTIFICATE_TAG]}}
        ],
        "read_header_timeout": "10s",
        # Flower's are below 1 KiB. The path is a part of this and stands in the log that the audit is made from: nobody
        # shall fill that, without a certificate, faster than it is read (Caddy's own limit is 1 MiB).
        "max_header_bytes": MOST_HEADER_BYTES,
        "idle_timeout": "5m",
        "logs": {},
        "routes": routes,
    }


def _control(context: SuperLinkContext, machine: Machine) -> Json:
    listen = endpoint(machine.address, CONTROL_PORT)
    networks = [str(network) for network in context.admin_networks]
    server = _server(
        listen,
        control_routes(
            networks=networks,
            federation=context.federation,
            superlink=_to_superlink(machine),
            audit=endpoint(machine.loopback, AUDIT_PORT),
            metrics=str(machine.path(CERTIFICATE_METRICS)),
        ),
    )
    (policy,) = server["tls_connection_policies"]
    policy["client_authentication"] = {
        "ca": {"provider": "file", "pem_files": [str(machine.path(CONTROL_CA))]},
        # A certificate that is shown must be good, or there is no connection. Who shows none is told so in words, and
        # leaves a line in the audit, which a failed handshake could not do.
        "mode": "verify_if_given",
    }
    return {
        **server,
        # Caddy turns this on beside client certificates, and then refuses whoever dials an address: such clients send
        # no server name. This port has one policy and one certificate, so no name could choose a weaker one.
        "strict_sni_host": False,
        "logs": {"default_logger_name": "control"},
        "errors": error_routes(),
    }


def _when_uri(pattern: str, handlers: list[Json]) -> Json:
    return {
        "match": [{"vars_regexp": {"{http.request.uri}": {"pattern": pattern}}}],
        "handle": handlers,
        "terminal": True,
    }


def _refuse(body: str) -> Json:
    return {"handle": [{"handler": "static_response", "status_code": 403, "body": body}], "terminal": True}


def _to_superlink(machine: Machine) -> Json:
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": endpoint(machine.loopback, SUPERLINK_PORT)}],
        # Objects travel in 5 MiB chunks and logs as endless answers: nothing is held back.
        "flush_interval": -1,
        "transport": {
            "protocol": "http",
            "versions": ["1.1"],
            "dial_timeout": "5s",
            "tls": {
                "ca": {"provider": "file", "pem_files": [str(machine.path(LOOPBACK_CA))]},
                # Caddy does not verify an upstream by IP address.
                "server_name": LOOPBACK_NAME,
            },
        },
    }


def _logging(context: SuperLinkContext, machine: Machine) -> Json:
    access = "http.log.access"
    # Headers carry node signatures and, with accounts, tokens; the log of errors holds them as well.
    without_headers = {
        "format": "filter",
        "wrap": {"format": "json"},
        "fields": {"request>headers": {"filter": "delete"}, "resp_headers": {"filter": "delete"}},
    }
    level = {"WARNING": "WARN"}.get(context.log_level, context.log_level)
    return {
        "logs": {
            "default": {"level": level, "exclude": [access], "encoder": without_headers},
            "access": {
                "include": [access],
                "exclude": [f"{access}.control"],
                "writer": _log_file(str(machine.path(ACCESS_LOG)), files=3),
                "encoder": without_headers,
            },
            "control": {
                # The server's own messages hold the handshakes that failed, at this level only (Caddy 2.11.7).
                "level": "DEBUG",
                "include": [f"{access}.control", "http.stdlib"],
                "writer": _log_file(str(machine.path(CONTROL_LOG)), files=10),
                "encoder": without_headers,
            },
        }
    }


def _log_file(path: str, *, files: int) -> Json:
    return {
        "output": "file",
        "filename": path,
        "mode": "0640",
        "roll_size_mb": 10,
        "roll_keep": files,
        # Readable after it was rotated, by the audit that may have been away.
        "roll_gzip": False,
    }
