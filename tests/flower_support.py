"""A real SuperLink and real SuperNodes on loopback addresses of their own, for tests of what talks to them.

Everything is started in a session of its own and killed when the test ends, whatever its outcome.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import ipaddress
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from pulumi_flower.control import ControlClient, Node
from tests.patience import AT_ONCE_S, PATIENCE_S

REPOSITORY = Path(__file__).resolve().parent.parent
FLOWER_BIN = REPOSITORY / ".flower-env" / "bin"
PULUMI_BIN = REPOSITORY / ".venv" / "bin"


def wait_until(condition: Callable[[], bool], *, timeout_s: float, what: str, interval_s: float = 0.1) -> None:
    """Poll until the condition holds; fail with `what` where it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(interval_s)


def loopback_address(seed: Path, host: int = 2) -> str:
    """An address of a 127.x.y.0/24 that depends on the test's folder and that nothing listens on."""
    digest = hashlib.sha256(f"{seed}{os.getpid()}".encode()).digest()
    for offset in range(64):
        address = f"127.{100 + (digest[0] + offset) % 100}.{digest[1]}.{host}"
        with socket.socket() as probe:
            if probe.connect_ex((address, 9091)) != 0:
                return address
    raise AssertionError("no free loopback network")


def node_key(curve: ec.EllipticCurve | None = None) -> tuple[str, str]:
    """A fresh key pair: the private key in OpenSSH PEM and the public key's OpenSSH line."""
    key = ec.generate_private_key(curve or ec.SECP384R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def public_line() -> str:
    """The OpenSSH line of a fresh node key."""
    return node_key()[1]


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A throw-away CA."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @staticmethod
    def make(name: str = "test CA") -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return Authority(key=key, certificate=certificate)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def issue(self, folder: Path, *addresses: str) -> tuple[Path, Path]:
        """Write `server.crt` and `server.key` for localhost and these addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        names: list[x509.GeneralName] = [x509.DNSName("localhost")]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", *addresses)]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "superlink")]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        certificate_file, key_file = folder / "server.crt", folder / "server.key"
        certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate_file, key_file


@dataclass(kw_only=True)
class Superlink:
    """A running SuperLink with TLS, node authentication and a database."""

    folder: Path
    address: str
    authority: Authority
    port: int = 9091
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.crt"

    def client(self, timeout_s: float = AT_ONCE_S) -> ControlClient:
        return ControlClient(self.endpoint, self.authority.pem, timeout_s=timeout_s)

    def start(self) -> None:
        certificate, key = self.authority.issue(self.folder, self.address)
        self.ca_file.write_text(self.authority.pem)
        self._spawn(
            "superlink",
            [
                str(FLOWER_BIN / "flower-superlink"),
                *("--host", self.address, "--port", str(self.port)),
                *(
                    "--ssl-certfile",
                    str(certificate),
                    "--ssl-keyfile",
                    str(key),
                    "--ssl-ca-certfile",
                    str(self.ca_file),
                ),
                *("--database", str(self.folder / "superlink.sqlite"), "--enable-supernode-auth"),
                "--disable-runtime-dependency-installation",
            ],
        )
        client = self.client()
        wait_until(lambda: _answers(client), timeout_s=PATIENCE_S, what=f"SuperLink answers; {self.log('superlink')}")

    def start_supernode(self, name: str, address: str, private_key: str, node_config: str) -> None:
        """Start a SuperNode; register its key first."""
        key_file = self.folder / f"{name}.key"
        with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(private_key)
        self._spawn(
            name,
            [
                str(FLOWER_BIN / "flower-supernode"),
                *("--superlink", self.endpoint, "--root-certificates", str(self.ca_file)),
                *("--auth-supernode-private-key", str(key_file), "--node-config", node_config),
                *("--host", address, "--port", "9094"),
            ],
        )

    def wait_for(self, condition: Callable[[list[Node]], bool], *, timeout_s: float = PATIENCE_S, what: str) -> None:
        client = self.client()
        try:
            wait_until(lambda: condition(client.list_nodes()), timeout_s=timeout_s, what=what, interval_s=0.3)
        except AssertionError as err:
            raise AssertionError(
                "\n".join([str(err), *(self.log(log.stem) for log in self.folder.glob("*.log"))])
            ) from err

    def log(self, name: str) -> str:
        file = self.folder / f"{name}.log"
        return file.read_text(errors="replace")[-4000:] if file.exists() else "no log"

    def stop(self) -> None:
        """Ask first, so that Flower ends its own children (they have sessions of their own), then insist."""
        for signal_number, grace_s in ((signal.SIGTERM, AT_ONCE_S), (signal.SIGKILL, AT_ONCE_S)):
            for process in self.processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal_number)
            for process in self.processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(grace_s)

    def _spawn(self, name: str, command: list[str]) -> None:
        home = self.folder / f"{name}-home"
        home.mkdir()
        environment = {
            "PATH": f"{FLOWER_BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "FLWR_HOME": str(home / ".flwr"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.2",
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    command,
                    cwd=home,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )


@contextlib.contextmanager
def running_superlink(folder: Path, *, authority: Authority | None = None) -> Iterator[Superlink]:
    """A SuperLink for the length of a `with` block."""
    superlink = Superlink(folder=folder, address=loopback_address(folder), authority=authority or Authority.make())
    try:
        superlink.start()
        yield superlink
    finally:
        superlink.stop()


def _answers(client: ControlClient) -> bool:
    try:
        client.list_nodes()
    except Exception:
        return False
    return True
