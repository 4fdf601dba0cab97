"""Facts about the machine that a plan is made for. Gathering them is `boot`'s work; this module looks at nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CERTS = "/etc/flower/certs"
CA_CERT = f"{CERTS}/ca.crt"
ONEGATE_CA = f"{CERTS}/onegate-ca.crt"
CONTROL_CA = f"{CERTS}/control-ca.crt"
"""Issues the client certificates of the Control API, and nothing else."""
SERVER_CERT = f"{CERTS}/server.crt"
SERVER_KEY = f"{CERTS}/server.key"
LOOPBACK_CA = f"{CERTS}/loopback-ca.crt"
LOOPBACK_CERT = f"{CERTS}/loopback.crt"
LOOPBACK_KEY = f"{CERTS}/loopback.key"
"""What the SuperLink serves to this machine's own programs; see `loopback`."""
NODE_KEY = f"{CERTS}/node.key"
TRUSTED_ENTITIES = "/etc/flower/trusted-entities.yaml"
"""Whose signature an app needs to run here."""
FLOWER_ENV = "/etc/flower/flower.env"
GATEWAY_CONFIG = "/etc/flower/gateway.json"
STATE = "/var/lib/flower"
SUPERLINK_STATE = f"{STATE}/superlink"
LOGS = "/var/log/flower"
AUDIT_CHAIN = f"{LOGS}/audit.jsonl"
AUDIT_STATE = f"{STATE}/audit"
AUDIT_HEAD = f"{AUDIT_STATE}/head"
METRICS = f"{STATE}/metrics"
CERTIFICATE_METRICS = f"{METRICS}/certificates.prom"
"""For a node_exporter's textfile collector, and what the gateway answers on /metrics."""

SUPERLINK_PORT = 9091
FLEET_PORT = 9092
CONTROL_PORT = 9093
SUPERNODE_RUNTIME_PORT = 9094
AUDIT_PORT = 9095
"""Loopback; the gateway asks there whether a run is a person's own."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a plan needs to know about where it will run."""

    root: Path
    """Folder that absolute guest paths lie under; `/` in a machine of its own."""
    loopback: str
    """Address that local services bind: 127.0.0.1, or the VM's own address in a process VM."""
    address: str
    """Address that others reach this machine at."""
    bin_dir: Path
    """`bin` of the Flower environment; on PATH because Flower starts `flower-superexec` by name."""
    vm_name: str = ""
    """The VM's name as OneGate gives it; empty where it is not known."""
    service_user: str = ""
    """User that services run as and that owns their files; empty: whoever runs the appliance."""

    def path(self, guest: str) -> Path:
        """Where an absolute guest path lies for the processes of this machine."""
        return self.root / guest.lstrip("/")


def endpoint(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
