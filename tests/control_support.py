"""Client certificates for the Control API's gateway, and a SuperLink VM that asks for them."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from flower_appliance.image import process_image
from flower_federation.control_certificate import ControlCertificate
from flower_federation.runs_cli import write_flwr_home
from flower_federation.tunnel import opened_tunnel
from pulumi_flower.identity import ClientIdentity
from tests.appliance_support import (
    CLIENTS,
    FLOWER_BIN,
    REPOSITORY,
    Authority,
    FakeOneGate,
    Vm,
    free_network,
    key_pem,
    make_authority,
    superlink_values,
    whole_lines,
)
from tests.patience import PATIENCE_S

FEDERATION = "hospitals"


def issue_client(
    authority: Authority,
    name: str,
    role: str,
    *,
    organization: str = FEDERATION,
    start: datetime | None = None,
    days: float = 7,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> tuple[str, str]:
    """A client certificate and its key, PEM, as FederationPKI makes them."""
    key = ec.generate_private_key(ec.SECP384R1())
    start = start or datetime.now(UTC) - timedelta(minutes=5)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(
            x509.Name(
                [
                    x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
                    x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role),
                    x509.NameAttribute(NameOID.COMMON_NAME, name),
                ]
            )
        )
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA384())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), key_pem(key)


@dataclass
class ControlLab:
    """A SuperLink VM whose Control port asks for certificates."""

    folder: Path
    network: str
    authority: Authority
    """Vouches for the SuperLink."""
    onegate: FakeOneGate
    superlink: Vm

    @property
    def address(self) -> str:
        return f"{self.network}.2"

    @property
    def endpoint(self) -> str:
        return f"{self.address}:9093"

    @property
    def chain(self) -> Path:
        return self.superlink.root / "var/log/flower/audit.jsonl"

    def certificate(self, name: str, role: str, **changes: Any) -> ControlCertificate:
        """A person's way to this SuperLink."""
        certificate, key = issue_client(CLIENTS, name, role, **changes)
        return ControlCertificate(
            certificate=certificate, key=key, ca_certificate=self.authority.pem, endpoint=self.endpoint
        )

    def strangers_certificate(self, authority_name: str) -> ControlCertificate:
        """An operator's of nobody's CA, shown beside a CA of that CA's name that did not sign it: crypto/tls quotes the
        name in its refusal then.
        """
        start = datetime.now(UTC) - timedelta(hours=2)
        own, other = (make_authority(start=start, name=authority_name) for _ in range(2))
        certificate, key = issue_client(own, "Stranger", "operator")
        return ControlCertificate(
            certificate=certificate + other.pem, key=key, ca_certificate=self.authority.pem, endpoint=self.endpoint
        )

    def audit(self, **wanted: Any) -> list[dict[str, Any]]:
        """Lines of the audit that say all of `wanted`; `name` is the actor's."""
        name = wanted.pop("name", None)
        lines = [json.loads(line) for line in whole_lines(self.chain)] if self.chain.exists() else []
        return [
            line
            for line in lines
            if all(line.get(key) == value for key, value in wanted.items())
            and (name is None or (line["actor"] or {}).get("name") == name)
        ]


@contextlib.contextmanager
def control_lab(folder: Path) -> Iterator[ControlLab]:
    """A SuperLink that is READY."""
    with FakeOneGate() as onegate:
        network = free_network()
        authority = make_authority(start=datetime.now(UTC) - timedelta(hours=2))
        onegate.names["1"] = "superlink_0_(service_3)"
        vm_folder = folder / "1"
        vm_folder.mkdir()
        superlink = Vm(vm_folder, 1, f"{network}.2", onegate)
        lab = ControlLab(folder, network, authority, onegate, superlink)
        values = superlink_values(authority, "localhost", lab.address)
        superlink.write_context({**values, "FL_ADMIN_NETWORKS": "127.0.0.1/32"})
        superlink.start(process_image(bin_dir=FLOWER_BIN, source=REPOSITORY / "src"))
        try:
            superlink.wait_for(READY="YES", FL_STATE="online")
            yield lab
        finally:
            superlink.stop()


def operator(name: str = "operator") -> ClientIdentity:
    """An operator's certificate for any SuperLink of `superlink_values`."""
    certificate, key = issue_client(CLIENTS, name, "operator")
    return ClientIdentity(certificate=certificate, key=key)


def flwr(home: Path, authority: Authority, control: str, *words: str) -> dict[str, Any]:
    """The Flower CLI as an operator, through a tunnel of its own; its JSON answer."""
    shown = operator()
    certificate = ControlCertificate(
        certificate=shown.certificate, key=shown.key, ca_certificate=authority.pem, endpoint=control
    )
    with opened_tunnel(certificate, now=lambda: datetime.now(UTC)) as opened:
        write_flwr_home(home, endpoint=opened.endpoint, ca_certificate=opened.ca_certificate)
        return run_flwr(home, *words)


def run_flwr(home: Path, *words: str) -> dict[str, Any]:
    """Flower's CLI with a folder that `federation connect` or a test wrote; its JSON answer."""
    environment = {
        "PATH": f"{FLOWER_BIN}:/usr/bin:/bin",
        "HOME": str(home),
        "FLWR_HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
    }
    command = [str(FLOWER_BIN / "flwr"), *words, "--format", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE_S, check=False)
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        raise AssertionError(f"{command}: {done.stdout.decode()}\n{done.stderr.decode()}") from None
