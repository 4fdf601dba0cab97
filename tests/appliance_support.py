"""Shared by the appliance's tests: certificates, a small OneGate, and VMs laid out as the process driver does."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flower_appliance.pem import fingerprint
from flower_appliance.processes import descendants, process_table, runs_program
from flower_appliance.shellvars import render_assignments
from flower_appliance.version import FLOWER_VERSION
from pulumi_flower.identity import ClientIdentity
from tests.patience import PATIENCE_S
from tests.small_server import SmallServer

REPOSITORY = Path(__file__).resolve().parents[1]
FLOWER_BIN = REPOSITORY / ".flower-env" / "bin"
T = TypeVar("T")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOKEN = "dG9rZW4tb2YtdGhlLXZtCg=="


def b64(text: str | bytes) -> str:
    """Base64 as CONTEXT values carry it."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@dataclass(frozen=True)
class Authority:
    """A certificate authority for tests."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.certificate)

    def issue(self, *names: str, start: datetime | None = None, days: int = 20) -> tuple[str, str]:
        """Certificate and key, PEM, for DNS names and addresses; valid from the CA's own start on, by default."""
        start = start or self.certificate.not_valid_before_utc
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder("server", start, days, key).issuer_name(self.certificate.subject)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), False)
        certificate = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
        ).sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), key_pem(key)


def make_authority(*, start: datetime = NOW - timedelta(days=1), days: int = 30, name: str = "test CA") -> Authority:
    """A fresh, self-signed CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, start, days, key)
    certificate = (
        builder.issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate)


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _builder(name: str, start: datetime, days: int, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


CLIENTS = make_authority(start=datetime(2020, 1, 1, tzinfo=UTC), days=20_000)
"""Issues the client certificates of every SuperLink that `superlink_values` describes."""


def common_values(authority: Authority) -> dict[str, str]:
    """CONTEXT values of either role."""
    return {
        "FL_FLOWER_VERSION": FLOWER_VERSION,
        "FL_TLS_ENABLED": "YES",
        "FL_NODE_AUTH_ENABLED": "YES",
        "FL_CA_CERT": b64(authority.pem),
        "FL_CA_FINGERPRINT": authority.fingerprint,
        "FL_FEDERATION": "hospitals",
        "FL_ZONE": "berlin",
        "VMID": "7",
        "ETH0_IP": "10.0.0.5",
    }


def superlink_values(authority: Authority, *names: str) -> dict[str, str]:
    """A whole CONTEXT of a SuperLink; names that its certificate covers."""
    certificate, key = authority.issue(*(names or ("localhost", "127.0.0.1", "10.0.0.5")))
    return {
        **common_values(authority),
        "FL_ROLE": "superlink",
        "FL_SERVER_CERT": b64(certificate),
        "FL_SERVER_KEY": b64(key),
        "FL_CONTROL_CA": b64(CLIENTS.pem),
        "FL_ADMIN_NETWORKS": "10.0.0.0/24 127.0.0.1/32",
    }


def supernode_values(authority: Authority, superlink: str = "10.0.0.5:9092") -> dict[str, str]:
    """A whole CONTEXT of a SuperNode."""
    return {
        **common_values(authority),
        "FL_ROLE": "supernode",
        "FL_SUPERLINK_ADDRESS": superlink,
        "FL_PARTITION_BASE": "1000",
        "FL_NUM_PARTITIONS": "3",
        "FL_DATA_PATH": "/srv/data",
    }


def wait_until(look: Callable[[], T], what: str, *, timeout_s: float = PATIENCE_S) -> T:
    """The first true value of `look`, asked again and again until a deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s} s")
        time.sleep(0.1)


def whole_lines(path: Path) -> list[str]:
    """Lines of a file that somebody writes to: the last one may be half there."""
    return path.read_text().rpartition("\n")[0].splitlines()


def free_network() -> str:
    """The first three octets of a 127.x.y.0/24 where our ports are free on .2 to .5."""
    while True:
        prefix = f"127.{random.randint(100, 200)}.{random.randint(1, 250)}"
        try:
            for host in range(2, 6):
                for port in (9091, 9092, 9093, 9094):
                    with socket.socket() as probe:
                        probe.bind((f"{prefix}.{host}", port))
        except OSError:
            continue
        return prefix


@dataclass
class FakeOneGate(SmallServer):
    """OneGate for a few VMs: attributes by VM id, checked tokens. Answers like OpenNebula 7.0.1 where it answers."""

    names: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    """Statuses to answer with first, before answering properly."""

    @property
    def url(self) -> str:
        return self.address

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        status, text = self.answer(method, path, headers, body.decode())
        return status, text.encode()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: str) -> tuple[int, str]:
        """Status and text of one request."""
        lower = {key.lower(): value for key, value in headers.items()}
        vm = lower.get("x-onegate-vmid", "")
        self.requests.append((method, path, body))
        if self.failures:
            return self.failures.pop(0), "out of order"
        if vm not in self.names or lower.get("x-onegate-token") != TOKEN:
            return 401, "Not authorized"
        held = self.attributes.setdefault(vm, {})
        if method == "GET" and path == "/vm":
            return 200, json.dumps({"VM": {"NAME": self.names[vm], "ID": vm, "USER_TEMPLATE": held}})
        if method == "PUT" and path == "/vm":
            pairs = [re.fullmatch(r'([A-Za-z0-9_]+)="?([^",\[\]\\]*)"?', line) for line in body.splitlines()]
            held.update({pair[1].upper(): pair[2] for pair in pairs if pair is not None})
            return (200, "") if all(pairs) else (500, "Internal server error")
        if method == "PUT" and path == "/vm?type=2":
            return (200, "") if held.pop(body, None) is not None else (500, "Internal server error")
        return 400, "OneGate server doesn't support this feature"

    def of(self, vm: int) -> dict[str, str]:
        """Attributes of a VM now."""
        return dict(self.attributes.get(str(vm), {}))

    def error_of(self, vm: int) -> str:
        """FL_ERROR of a VM, decoded."""
        return base64.b64decode(self.of(vm).get("FL_ERROR", "")).decode()


@dataclass
class Vm:
    """A VM as the process driver starts it."""

    folder: Path
    vm_id: int
    address: str
    onegate: FakeOneGate
    process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def console(self) -> str:
        return (self.folder / "console.log").read_text(errors="replace")

    def write_context(self, values: Mapping[str, str]) -> None:
        context = self.folder / "context"
        context.mkdir(parents=True, exist_ok=True)
        whole = {**values, "ONEGATE_ENDPOINT": self.onegate.url, "VMID": str(self.vm_id), "ETH0_IP": self.address}
        (context / "context.sh").write_text("# Context variables\n" + render_assignments(whole))
        (context / "token.txt").write_text(TOKEN)

    def start(self, image: Mapping[str, Any]) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        environment = {
            "HOME": str(self.folder),
            **image["environment"],
            "VM_ID": self.mark,
            "VM_ROOT": str(self.root),
            "VM_CONTEXT": str(self.folder / "context"),
            "VM_ADDRESS": self.address,
        }
        with (self.folder / "console.log").open("ab") as console:
            self.process = subprocess.Popen(
                image["command"], env=environment, stdout=console, stderr=console, start_new_session=True
            )

    @property
    def mark(self) -> str:
        # Of this test process alone: `stop` kills what carries it, and others may run the same test on this machine.
        return f"test-{os.getpid()}-{self.vm_id}-{self.folder.parent.name}"

    def pids(self, program: str = "") -> list[int]:
        """Living processes of this VM, those that run `program` only where it is given."""
        assert self.process is not None
        # By descent: flower-superexec hides its environment, and with it the mark, from everyone but root.
        below = descendants(self.process.pid, process_table())
        return sorted(pid for pid in below if not program or runs_program(pid, program))

    def stop(self) -> None:
        """Ask it to stop; kill what is left, and say so."""
        if self.process is None:
            return
        before = self.pids()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        finally:
            table = process_table()
            left = {pid for pid in before if pid in table and table[pid].alive} | set(marked_processes(self.mark))
            left.discard(self.process.pid)
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
        assert not left, f"processes outlived their VM: {left}"

    def attributes(self) -> dict[str, str]:
        return self.onegate.of(self.vm_id)

    def wait_for(self, timeout_s: float = PATIENCE_S, **wanted: str) -> dict[str, str]:
        """Attributes, once they include `wanted`."""

        def look() -> dict[str, str] | None:
            now = self.attributes()
            return now if all(now.get(key) == value for key, value in wanted.items()) else None

        try:
            return wait_until(look, f"VM {self.vm_id} {wanted}", timeout_s=timeout_s)
        except AssertionError as error:
            shown = {key: value[:60] for key, value in self.attributes().items()}
            raise AssertionError(f"{error}\n{shown}\n{self.console[-3000:]}") from None


def marked_processes(mark: str) -> list[int]:
    """Living processes with VM_ID=mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"VM_ID={mark}".encode() in environment:
                found.append(int(entry.name))
    return found


def ask(
    authority: Authority,
    host: str,
    port: int,
    path: str,
    *,
    method: str = "POST",
    source: str = "",
    identity: ClientIdentity | None = None,
) -> tuple[int, str]:
    """One HTTPS request with no credential but `identity`; the path goes out exactly as given."""
    context = ssl.create_default_context(cadata=authority.pem)
    if identity is not None:
        identity.load_into(context)
    address = (source, 0) if source else None
    connection = http.client.HTTPSConnection(host, port, timeout=PATIENCE_S, context=context, source_address=address)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.putheader("content-type", "application/protobuf")
        connection.putheader("content-length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()
