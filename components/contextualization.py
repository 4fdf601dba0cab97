"""CONTEXT of the federation's VMs: typed settings in, the variables of docs/architecture.md out.

It writes no secret itself: certificates and keys pass through `encode_certificates` and `encode_private_key`, so that
the caller can keep each of them a secret of its own. A value that could end its line in context.sh, or leave its quotes
there, is refused instead of escaped: guests differ in how they read escapes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from components.authorities import check_fingerprints
from components.data_source import DataSource
from components.errors import RefusalError
from components.node_keys import render_epochs
from components.ports import FLEET_PORT
from components.trusted_entities import VARIABLE, TrustedEntity, check_trusted, encode_trusted

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f'\"\\`$]")
_HOST = re.compile(r"[A-Za-z0-9.-]+")
_PEM_BLOCK = re.compile(
    r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----\r?\n[A-Za-z0-9+/=\r\n]+-----END (?P=label)-----\s*", re.ASCII
)


@dataclass(frozen=True, kw_only=True)
class _CommonContext:
    """What both roles are told."""

    federation: str
    zone: str
    flower_version: str
    log_level: str = "INFO"
    project_url: str | None = None
    """Where logs and errors send their reader; None leaves FL_PROJECT_URL out."""

    def _common(self, role: str) -> dict[str, str]:
        if self.log_level not in LOG_LEVELS:
            raise RefusalError(
                value=f"logLevel: {self.log_level}",
                rule=f"a log level is one of {', '.join(LOG_LEVELS)}",
                reason="Flower stops at a level that it does not know",
                remedy="change logLevel in the stack file",
            )
        return {
            # OpenNebula's own: fill ETH0_* from the lease, and put a OneGate token on the CONTEXT disk.
            "NETWORK": "YES",
            "TOKEN": "YES",
            "FL_ROLE": role,
            "FL_FLOWER_VERSION": self.flower_version,
            "FL_TLS_ENABLED": "YES",
            "FL_NODE_AUTH_ENABLED": "YES",
            "FL_FEDERATION": self.federation,
            "FL_ZONE": self.zone,
            "FL_LOG_LEVEL": self.log_level,
            **({} if self.project_url is None else {"FL_PROJECT_URL": self.project_url}),
        }


@dataclass(frozen=True, kw_only=True)
class SuperLinkContext(_CommonContext):
    """What the SuperLink's VM is told, certificates and key apart."""

    admin_networks: Sequence[IPv4Network]
    """Networks that may reach the Control API."""
    num_clients: int | None = None
    """Nodes that a run waits for, as a default for apps."""
    app_hub: str | None = None
    """URL of the hub that the SuperLink fetches signed apps from; None: Flower's own."""

    def variables(self) -> dict[str, str]:
        """The CONTEXT variables.

        Raises:
            RefusalError: A value does not fit into CONTEXT.
        """
        values = {
            **self._common("superlink"),
            "FL_ADMIN_NETWORKS": " ".join(str(network) for network in self.admin_networks),
        }
        if self.num_clients is not None:
            values["FL_NUM_CLIENTS"] = str(self.num_clients)
        if self.app_hub is not None:
            values["FL_APP_HUB"] = self.app_hub
        return _checked(values)


@dataclass(frozen=True, kw_only=True)
class SuperNodeContext(_CommonContext):
    """What the VMs of a SuperNode pool are told, certificates apart. One context serves the whole pool."""

    superlink_address: str
    """`host:9092`."""
    partition_base: int
    num_partitions: int
    data: DataSource
    """How the zone's data gets into the guests."""
    rekeyed: Mapping[str, int] = field(default_factory=dict)
    """How often each node was told to make a new key, by the end of its name (`supernode-1`)."""
    trusted: tuple[TrustedEntity, ...] | None = None
    """Whose signature an app needs to run; None: every app runs."""

    def variables(self) -> dict[str, str]:
        """The CONTEXT variables.

        Raises:
            RefusalError: A value does not fit into CONTEXT, or the SuperLink's address is not its Fleet endpoint.
        """
        if self.num_partitions < 1:
            raise RefusalError(
                value=f"partitions: {self.num_partitions}",
                rule="a zone divides its data into at least 1 shard",
                reason="a node's shard is its partition modulo this number",
                remedy="change partitions in the stack file",
            )
        return _checked(
            {
                **self._common("supernode"),
                "FL_SUPERLINK_ADDRESS": check_fleet_endpoint(self.superlink_address),
                "FL_PARTITION_BASE": str(self.partition_base),
                "FL_NUM_PARTITIONS": str(self.num_partitions),
                **self.data.variables(),
                **({"FL_NODE_KEY_EPOCHS": render_epochs(self.rekeyed)} if self.rekeyed else {}),
                **({} if self.trusted is None else {VARIABLE: encode_trusted(check_trusted(self.trusted))}),
            }
        )


def fleet_endpoint(host: IPv4Address | str) -> str:
    """Where SuperNodes dial: `host:9092`."""
    return f"{host}:{FLEET_PORT}"


def check_endpoint_host(host: str, *, where: str) -> str:
    """Return the name or address under which zones reach the SuperLink, if they can dial it.

    Raises:
        RefusalError: It is no DNS name and no IPv4 address.
    """
    if _HOST.fullmatch(host) is None:
        raise RefusalError(
            value=f"{where}: {host!r}",
            rule="a DNS name or an IPv4 address, without a scheme and a port",
            reason=f"it goes before :{FLEET_PORT} in what zones dial, and their networks and security groups are IPv4",
            remedy=f"correct {where} in the central stack's file, or leave it out: zones dial superlink.address then",
        )
    return host


def check_fleet_endpoint(endpoint: str) -> str:
    """Return an endpoint if it is one host and the Fleet port, without a scheme.

    Raises:
        RefusalError: It is something else.
    """
    host, _, port = endpoint.rpartition(":")
    if not _HOST.fullmatch(host) or port != str(FLEET_PORT):
        raise RefusalError(
            value=f"superlink_fleet_endpoint: {endpoint}",
            rule=f"a Fleet endpoint is host:{FLEET_PORT}, without https://",
            reason=f"flower-supernode takes it as it is, and the gateway serves SuperNodes on {FLEET_PORT} alone",
            remedy="correct what the centre exports, and run pulumi up on its stack again",
        )
    return endpoint


def encode_certificates(pem: str) -> str:
    """Base64 of one or more certificates in PEM, for FL_CA_CERT, FL_SERVER_CERT and FL_ONEGATE_CA.

    Raises:
        RefusalError: It is no PEM, or holds anything but certificates. The text is not quoted, it may be a key.
    """
    return _encode(pem, what="certificate", allowed=lambda label: label == "CERTIFICATE")


def encode_private_key(pem: str) -> str:
    """Base64 of one private key in PEM, for FL_SERVER_KEY; the caller keeps it secret.

    Raises:
        RefusalError: It is no private key in PEM. The text is not quoted.
    """
    return _encode(pem, what="private key", allowed=lambda label: label.endswith("PRIVATE KEY"))


def check_fingerprint(fingerprint: str, *, where: str) -> str:
    """Return a CA's fingerprint, or two of them, in the form that CONTEXT carries.

    Raises:
        RefusalError: It is no sha256 in hex.
    """
    return check_fingerprints(fingerprint, where=where)


def _encode(pem: str, *, what: str, allowed: Callable[[str], bool]) -> str:
    labels = [match["label"] for match in _PEM_BLOCK.finditer(pem)]
    remainder = _PEM_BLOCK.sub("", pem).strip()
    if not labels or remainder or not all(allowed(label) for label in labels):
        raise RefusalError(
            value=f"a {what} of {len(pem)} characters with the PEM blocks {labels} (text not shown)",
            rule=f"it is PEM and holds nothing but a {what}",
            reason="the guest writes it to its file as it comes, and a wrong file stops Flower",
            remedy=f"pass the {what} in PEM",
        )
    return base64.b64encode(pem.strip().encode() + b"\n").decode()


def _checked(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        found = _FORBIDDEN.search(value)
        if found is not None:
            raise RefusalError(
                value=f"{name}: {value!r}",
                rule="a context value has no line break, quote, backslash, backquote or dollar sign",
                reason="context.sh holds shell assignments in single quotes, and OpenNebula replaces $NAME itself",
                remedy=f"remove {found.group()!r} from the setting behind {name} in the stack file",
            )
    return values
