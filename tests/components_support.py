"""What tests of components and stack programs share: a cloud that records what a program declares, and real keys."""

from __future__ import annotations

import base64
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import grpc  # type: ignore[import-untyped]
import pulumi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pulumi.runtime import MockCallArgs, MockResourceArgs

from components.authorities import AUTHORITY_NAME
from components.server_key import REQUEST
from flower_appliance.machine import Machine
from flower_appliance.serverkey import Wanted, ensure_request

T = TypeVar("T")

TEMPLATE = "opennebula:index/template:Template"
SERVICE = "opennebula:index/service:Service"
LIVE = "opennebula:index/serviceContext:ServiceContext"
SERVICE_TEMPLATE = "opennebula:index/serviceTemplate:ServiceTemplate"
SECURITY_GROUP = "opennebula:index/securityGroup:SecurityGroup"
NETWORK = "opennebula:index/virtualNetwork:VirtualNetwork"
RANGE = "opennebula:index/virtualNetworkAddressRange:VirtualNetworkAddressRange"
IMAGE = "opennebula:index/image:Image"
REGISTRATION = "flower:index:SuperNodeRegistration"
READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"
GET_VMS = "opennebula:index/getVirtualMachines:getVirtualMachines"


@dataclass(frozen=True)
class Declared:
    """A resource as the program declared it."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    """In plain; `secrets` says what was secret."""
    provider: str
    secrets: tuple[str, ...]
    """Paths of the secret inputs, such as `context.FL_SERVER_KEY`."""


class EngineError(grpc.RpcError):
    """An answer of the engine that says no; any other exception of a mock would end the program."""

    def code(self) -> grpc.StatusCode:
        """gRPC's code for what providers and the engine report in words."""
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        """The words."""
        return str(self.args[0])


@dataclass
class RecordingCloud(pulumi.runtime.Mocks):
    """Answers like an engine with clouds behind it, and remembers what was asked."""

    stacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Outputs by full stack name; a stack that is not here does not exist."""
    vms: list[dict[str, Any]] = field(default_factory=list)
    backend_error: str | None = None
    torn_reads: int = 0
    """How many reads of a stack meet a checkpoint that is being written."""
    declared: list[Declared] = field(default_factory=list)
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Record the resource."""
        plain, secret_paths = reveal(dict(args.inputs))
        self.declared.append(
            Declared(
                type=args.typ, name=args.name, inputs=plain, provider=args.provider or "", secrets=tuple(secret_paths)
            )
        )
        outputs: dict[str, Any] = dict(args.inputs)
        if args.typ.startswith("tls:"):
            outputs.update(_tls_outputs(args.typ, args.name))
        if args.typ == REGISTRATION:
            outputs.update({"nodeId": "12345678901234567890", "fingerprint": f"SHA256:{args.name}"})
        return mock_id(args.typ, args.name), outputs

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Answer a function of the engine's or of a provider's."""
        self.calls.append((args.token, dict(args.args)))
        if args.token == READ_OUTPUTS:
            return self._read_outputs(str(args.args["name"])), []
        if args.token == GET_VMS:
            return {"id": "vms", "virtualMachines": [*self.vms, *self._superlink_vms()]}, []
        return {"id": 7}, []

    def _superlink_vms(self) -> list[dict[str, Any]]:
        """What a SuperLink's VM answers to who asks for its signing request."""
        asked = [each.inputs["variables"] for each in self.of(LIVE) if each.inputs["acknowledgement"] == REQUEST]
        return [
            {"id": 3, "name": "superlink_0_(service_15)", "tags": {"READY": "YES", **request_tags(variables)}}
            for variables in asked
        ]

    def _read_outputs(self, name: str) -> dict[str, Any]:
        if self.backend_error is not None:
            raise EngineError(self.backend_error)
        if self.torn_reads:
            self.torn_reads -= 1
            raise EngineError(f"invocation of {READ_OUTPUTS} returned an error: failed to load checkpoint: EOF")
        if name not in self.stacks:
            # Word for word what engine 3.259.0 answers (2026-11-24).
            raise EngineError(f'invocation of {READ_OUTPUTS} returned an error: unknown stack "{name}"')
        return {"name": name, "outputs": self.stacks[name], "secretOutputNames": []}

    def of(self, type_: str) -> list[Declared]:
        """Everything that was declared of one type."""
        return [declared for declared in self.declared if declared.type == type_]

    def one(self, type_: str) -> Declared:
        """The only resource of a type."""
        (found,) = self.of(type_)
        return found


def run_program(cloud: RecordingCloud, program: Callable[[], T], *, stack: str = "test", preview: bool = False) -> T:
    """Run a program against the cloud and wait until everything that it declared is there.

    Returns:
        What the program returned.
    """
    pulumi.runtime.set_mocks(cloud, project="flower-federation", stack=stack, preview=preview)
    kept: list[T] = []

    def body() -> None:
        kept.append(program())

    pulumi.runtime.test(body)()
    return kept[0]


def run_and_resolve(cloud: RecordingCloud, program: Callable[[], Mapping[str, Any]], **options: Any) -> dict[str, Any]:
    """Run a program that returns outputs, and return them as plain values."""
    resolved: dict[str, Any] = {}

    def body() -> Any:
        return pulumi.Output.from_input(dict(program())).apply(resolved.update)

    pulumi.runtime.set_mocks(cloud, project="flower-federation", **{"stack": "test", **options})
    pulumi.runtime.test(body)()
    return resolved


def mock_id(type_: str, name: str) -> str:
    """The id of a resource: a number, as OpenNebula's are, and the same however the engine's threads run."""
    return str(zlib.crc32(f"{type_} {name}".encode()) % 10_000)


_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"


def reveal(value: Any, path: str = "") -> tuple[Any, list[str]]:
    """A value as it goes to the engine, with secrets in plain, and the paths that were secret."""
    if isinstance(value, dict) and value.get(_SIGNATURE) == _SECRET:
        return value["value"], [path]
    if isinstance(value, dict):
        pairs = {key: reveal(entry, f"{path}.{key}" if path else key) for key, entry in value.items()}
        return {key: plain for key, (plain, _) in pairs.items()}, [p for _, paths in pairs.values() for p in paths]
    if isinstance(value, list):
        entries = [reveal(entry, f"{path}[{index}]") for index, entry in enumerate(value)]
        return [plain for plain, _ in entries], [p for _, paths in entries for p in paths]
    return value, []


@contextmanager
def pulumi_config(values: Mapping[str, str], *, secret: tuple[str, ...] = ()) -> Iterator[None]:
    """Give the program a configuration, with the project's prefix added."""
    prefixed = {f"flower-federation:{key}": value for key, value in values.items()}
    pulumi.runtime.set_all_config(prefixed, [f"flower-federation:{key}" for key in secret])
    try:
        yield
    finally:
        pulumi.runtime.set_all_config({}, [])


@cache
def node_key(number: int = 0) -> str:
    """An OpenSSH public key line; the same for the same number."""
    private = ec.derive_private_key(number + 12345, ec.SECP384R1())
    return (
        private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    )


@dataclass(frozen=True)
class Authority:
    """A CA for tests."""

    pem: str
    fingerprint: str
    key_pem: str


@cache
def authority(number: int = 0) -> Authority:
    """A self-signed CA with such a name as a stack's own; the same for the same number within a test run."""
    key = ec.derive_private_key(number + 777, ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{AUTHORITY_NAME} {number}")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1000 + number)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(
        pem=certificate.public_bytes(serialization.Encoding.PEM).decode(),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )


def published_vm(number: int, *, key: int | None = None, service: int = 15) -> dict[str, Any]:
    """A VM as getVirtualMachines returns it, with its key published."""
    line = node_key(number if key is None else key)
    return {
        "id": number,
        "name": f"supernode_{number}_(service_{service})",
        "tags": {"FL_NODE_PUBKEY": base64.b64encode(line.encode()).decode(), "READY": "YES"},
    }


def request_tags(variables: Mapping[str, str]) -> dict[str, str]:
    """Attributes of a VM that was given these variables; made by the appliance's own code, once for each."""
    return _request_tags(tuple(sorted(variables.items())))


@cache
def _request_tags(variables: tuple[tuple[str, str], ...]) -> dict[str, str]:
    given = dict(variables)
    with tempfile.TemporaryDirectory() as root:
        machine = Machine(root=Path(root), loopback="127.0.0.1", address="127.0.0.1", bin_dir=Path("/"))
        request = ensure_request(
            machine,
            Wanted(
                names=tuple(given["FL_SERVER_NAMES"].split()),
                organization="demo",
                epoch=int(given["FL_SERVER_KEY_EPOCH"]),
                answer=given[REQUEST],
            ),
        )
    return {REQUEST: given[REQUEST], "FL_SERVER_CSR": base64.b64encode(request.encode()).decode()}


def _tls_outputs(type_: str, name: str) -> dict[str, Any]:
    generation = re.search(r"-ca-(\d+)", name)
    made = authority(99 if "server" in name else 98 if generation is None else 100 + int(generation[1]))
    if type_.endswith("PrivateKey"):
        return {"privateKeyPem": made.key_pem, "privateKeyPemPkcs8": made.key_pem}
    if type_.endswith("CertRequest"):
        return {"certRequestPem": "request"}
    return {"certPem": made.pem}
