"""What must be proven before a machine counts as ready, as data. `readiness` proves it; `plan` says what applies."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class KeyCheck:
    """The node's key exists, is its owner's alone and parses."""

    path: str


@dataclass(frozen=True, kw_only=True)
class DataCheck:
    """The data folder is there, readable by the service user, and not empty."""

    path: str
    user: str = ""


@dataclass(frozen=True, kw_only=True)
class HandshakeCheck:
    """A TLS server answers there with a certificate that the CA vouches for under that very name."""

    host: str
    port: int
    ca: str
    subject: str
    """What the server is, for messages."""


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """`GET /health` answers 200 over TLS verified against the CA."""

    host: str
    port: int
    ca: str


@dataclass(frozen=True, kw_only=True)
class ChildCheck:
    """A service has the child process without which it accepts work and never does it."""

    unit: str
    program: str


@dataclass(frozen=True, kw_only=True)
class AuditCheck:
    """The audit service answers, so that what is done through the Control API is written down."""

    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class EnrolmentQuestion:
    """Where to ask whether the node's key is enrolled, before services start that are of no use otherwise."""

    host: str
    port: int
    ca: str
    key: str


@dataclass(frozen=True, kw_only=True)
class CudaCheck:
    """The NVIDIA driver gives the service user at least one card."""

    argv: tuple[str, ...]
    """Asks the driver; prints JSON."""
    source: str
    """Folder that flower_appliance is imported from."""
    user: str
    devices: tuple[str, ...]


Check = CudaCheck | KeyCheck | DataCheck | HandshakeCheck | HealthCheck | ChildCheck | AuditCheck
