"""The typed CONTEXT of one role. It decides nothing about the machine and executes nothing.

`read_context` takes the variables of context.sh (see `shellvars`) and returns a whole, consistent value or raises every
problem at once. The meaning of each variable is in docs/architecture.md, "Context variables".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509

from flower_appliance import pem
from flower_appliance.data import Data, read_data
from flower_appliance.errors import ContextError
from flower_appliance.fields import CONTEXT_PLACE, Fields, Network
from flower_appliance.requirements import Requirements, read_requirements
from flower_appliance.serverkey import Wanted
from flower_appliance.trusted import parse_trusted
from flower_appliance.version import FLOWER_VERSION

LOG_LEVELS = ("INFO", "DEBUG", "WARNING", "ERROR")
PROJECT_URL_DEFAULT = "https://flower.ai"


@dataclass(frozen=True, kw_only=True)
class Context:
    """What both roles are told."""

    federation: str
    zone: str
    ca_pem: str
    """The federation CA, PEM, already checked against FL_CA_FINGERPRINT; two while one takes over from the other."""
    ca_fingerprint: str
    """As given: fingerprints separated by spaces."""
    revision: str
    """Name of this CONTEXT's content, written back through OneGate once it is in effect; empty: nobody asks."""
    log_level: str
    project_url: str
    onegate_endpoint: str
    """URL, or empty where the zone gave none."""
    onegate_ca_pem: str
    """PEM that OneGate's TLS is verified against; empty: the system's CAs."""
    vm_id: str
    address: str
    """ETH0_IP; empty where the VM has no NIC."""
    state_volume: str
    """Label of the file system that keeps key and database when the image's disk is exchanged; empty: none does."""
    requirements: Requirements | None
    """Python packages that the zone adds; None: the image's alone."""
    gpu: bool
    """Whether CUDA must work before this machine is ready."""


@dataclass(frozen=True, kw_only=True)
class SuperLinkContext(Context):
    """What a SuperLink is told."""

    server_cert_pem: str
    """Empty: none has been signed yet for the key that this VM makes."""
    server_key_pem: str = field(repr=False)
    """Empty: the certificate's key is one that this VM has made."""
    own_key: Wanted | None
    """The key that this VM has to make and to have signed; None: it was given one."""
    server_names: tuple[str, ...]
    """Names and addresses that the server certificate covers."""
    admin_networks: tuple[Network, ...]
    """Networks that may reach the Control API on 9093; empty: none may."""
    control_ca_pem: str
    """PEM of the CA whose client certificates the Control API takes."""
    num_clients: int | None
    app_hub: str
    """URL of the hub that signed apps are fetched from; empty: Flower's own."""


@dataclass(frozen=True, kw_only=True)
class SuperNodeContext(Context):
    """What a SuperNode is told."""

    superlink_host: str
    superlink_port: int
    partition_base: int
    partition_id: int | None
    """Overrides base + n."""
    num_partitions: int
    data: Data
    """Where the data will be, and how it gets there."""
    trusted_entities: Mapping[str, str] | None
    """Keys (OpenSSH lines) whose signature an app needs, by name, at least one; None: every app runs."""
    key_epochs: Mapping[str, int]
    """How often nodes were told to make a new key, by the end of their names (`supernode-1`)."""


def read_context(values: Mapping[str, str], *, now: datetime) -> SuperLinkContext | SuperNodeContext:
    """The role's context.

    Args:
        values: variables of the CONTEXT, names in upper case.
        now: aware instant that certificates must be valid at.

    Raises:
        ContextError: with every problem found.
    """
    fields = Fields(values)
    role = fields.choice("FL_ROLE", ("superlink", "supernode"), "one image serves both roles and the CONTEXT chooses")
    for name, subject in (("FL_TLS_ENABLED", "TLS"), ("FL_NODE_AUTH_ENABLED", "node authentication")):
        fields.choice(name, ("YES",), f"{subject} has no off switch: sites do not trust the networks between them")
    _check_version(fields)
    common = _common(fields, now)
    context: SuperLinkContext | SuperNodeContext
    context = _superlink(fields, common, now) if role == "superlink" else _supernode(fields, common)
    if fields.problems:
        raise ContextError(fields.problems)
    return context


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a SuperLink's CONTEXT asks of its VM's own key, whatever else stands in it."""

    key: Wanted
    state_volume: str
    """Label of the file system that the key is kept on; empty: the image's own."""


def read_asked(values: Mapping[str, str]) -> Asked | None:
    """The certificate that a CONTEXT asks for; None where it asks for none, or not in order.

    It is read apart because the rest may be refused: a certificate that has ended is replaced by asking for another.
    """
    fields = Fields(values)
    if fields.text("FL_ROLE") != "superlink":
        return None
    fields.name("FL_FEDERATION", "it stands in the certificate's subject")
    key, volume = _own_key(fields), fields.label("FL_STATE_VOLUME")
    return None if key is None or fields.problems else Asked(key=key, state_volume=volume)


@dataclass(frozen=True, kw_only=True)
class _Common:
    values: Context
    authorities: tuple[x509.Certificate, ...]


def _check_version(fields: Fields) -> None:
    version = fields.required("FL_FLOWER_VERSION", "SuperLink, SuperNodes and CLI must be of one version")
    if version and version != FLOWER_VERSION:
        fields.refuse(
            "FL_FLOWER_VERSION",
            f"it must be {FLOWER_VERSION}, the version in this image",
            "Flower accepts a mismatch without a word and fails later, and nothing is downloaded at boot",
            f"Use an image with Flower {version} (scripts/image list --flower-version {version} shows those of the "
            f"zone), or set flower_version to {FLOWER_VERSION} in the stack",
        )


def _common(fields: Fields, now: datetime) -> _Common:
    ca_raw = fields.decoded("FL_CA_CERT", why="every connection is verified against the federation CA", required=True)
    authorities = fields.parsed("FL_CA_CERT", ca_raw, pem.load_certificates, "CA certificates") or ()
    wanted = fields.required("FL_CA_FINGERPRINT", "it arrives by another way than the CA and proves it")
    _check_authorities(fields, authorities, wanted, now)
    onegate_raw = fields.decoded("FL_ONEGATE_CA", why="", required=False)
    fields.parsed("FL_ONEGATE_CA", onegate_raw, pem.load_certificates, "CA certificates")
    return _Common(
        authorities=authorities,
        values=Context(
            federation=fields.name("FL_FEDERATION", "runs and nodes belong to one federation"),
            zone=fields.name("FL_ZONE", "node names start with the zone's name"),
            ca_pem=_text(ca_raw),
            ca_fingerprint=wanted,
            revision=fields.echo("FL_CONTEXT_REVISION"),
            log_level=fields.choice("FL_LOG_LEVEL", LOG_LEVELS, "Flower knows these levels", default="INFO"),
            project_url=fields.url("FL_PROJECT_URL") or PROJECT_URL_DEFAULT,
            onegate_endpoint=fields.url("ONEGATE_ENDPOINT"),
            onegate_ca_pem=_text(onegate_raw),
            vm_id=fields.text("VMID"),
            address=fields.text("ETH0_IP"),
            state_volume=fields.label("FL_STATE_VOLUME"),
            requirements=read_requirements(fields),
            gpu=fields.choice("FL_GPU", ("NO", "YES"), "the VM has a GPU or it has none", default="NO") == "YES",
        ),
    )


def _check_authorities(fields: Fields, authorities: tuple[x509.Certificate, ...], wanted: str, now: datetime) -> None:
    """Every certificate is vouched for, every fingerprint has its certificate, and one of them is valid."""
    found = [pem.fingerprint(authority) for authority in authorities]
    if authorities and wanted and set(wanted.split()) != set(found):
        fields.refuse(
            "FL_CA_FINGERPRINT",
            f"it must be the sha256 of FL_CA_CERT, which is {' '.join(found)}",
            "a CA that does not match was exchanged on the way, or belongs to another federation",
            f"Take both from the central stack's outputs ca_certificate and ca_fingerprint, in {CONTEXT_PLACE}",
        )
    if authorities and not any(pem.is_valid_at(authority, now) for authority in authorities):
        spans = ", ".join(f"{each.not_valid_before_utc} to {each.not_valid_after_utc}" for each in authorities)
        fields.refuse(
            "FL_CA_CERT",
            f"it must be valid now, {now:%Y-%m-%d %H:%M} UTC",
            f"it is valid from {spans}",
            "Renew the CA in the central stack, or correct the clock of this machine",
        )


def _superlink(fields: Fields, common: _Common, now: datetime) -> SuperLinkContext:
    why = "the gateway serves TLS with it"
    own_key = _own_key(fields)
    given = own_key is None or bool(fields.text("FL_SERVER_KEY"))
    cert_raw = fields.decoded("FL_SERVER_CERT", why=why, required=given)
    key_raw = fields.decoded("FL_SERVER_KEY", why=why, required=given, secret=True)
    chain = fields.parsed("FL_SERVER_CERT", cert_raw, pem.load_certificates, "a certificate chain, leaf first")
    key = fields.parsed("FL_SERVER_KEY", key_raw, pem.load_key, "a private key without a password", secret=True)
    if chain and key is not None and not pem.ServerIdentity(chain=chain, key=key).key_matches():
        fields.refuse(
            "FL_SERVER_KEY",
            "it must be the key of the first certificate in FL_SERVER_CERT",
            "the two are different key pairs, and no TLS handshake could succeed",
            f"Set both from the same FederationPKI in {CONTEXT_PLACE}",
            secret=True,
        )
    if chain and common.authorities and not any(pem.issued_by(chain, each) for each in common.authorities):
        fields.refuse(
            "FL_SERVER_CERT",
            "it must be signed by FL_CA_CERT",
            "SuperNodes trust that CA alone and would refuse this server",
            f"Issue the server certificate with the federation CA and set it in {CONTEXT_PLACE}",
        )
    if chain and not pem.is_valid_at(chain[0], now):
        fields.refuse(
            "FL_SERVER_CERT",
            f"it must be valid now, {now:%Y-%m-%d %H:%M} UTC",
            f"it is valid from {chain[0].not_valid_before_utc} to {chain[0].not_valid_after_utc}",
            "Renew the server certificate in the central stack, or correct the clock of this machine",
        )
    control_raw = fields.decoded(
        "FL_CONTROL_CA",
        why="the Control API asks for client certificates: whoever reaches it could start runs and enrol nodes",
        required=True,
    )
    fields.parsed("FL_CONTROL_CA", control_raw, pem.load_certificates, "CA certificates")
    return SuperLinkContext(
        **_fields_of(common.values),
        server_cert_pem=_text(cert_raw),
        server_key_pem=_text(key_raw),
        own_key=own_key,
        server_names=pem.named_hosts(chain[0]) if chain else (),
        admin_networks=fields.networks("FL_ADMIN_NETWORKS"),
        control_ca_pem=_text(control_raw),
        num_clients=fields.integer("FL_NUM_CLIENTS", least=1, default=None),
        app_hub=fields.url("FL_APP_HUB"),
    )


def _own_key(fields: Fields) -> Wanted | None:
    """The key that the VM makes itself: asked for by naming what its certificate will cover."""
    names = fields.hosts("FL_SERVER_NAMES", "the server's certificate is asked for with exactly these names")
    epoch = fields.integer("FL_SERVER_KEY_EPOCH", least=0, default=0) or 0
    if not names:
        for name in ("FL_SERVER_KEY_EPOCH", "FL_SERVER_REQUEST"):
            if fields.text(name):
                fields.refuse(
                    name,
                    "it must come with FL_SERVER_NAMES",
                    "a key of the VM's own is of no use without names for its certificate",
                    f"Set FL_SERVER_NAMES too, or remove {name}, in {CONTEXT_PLACE}",
                )
        return None
    return Wanted(
        names=names, organization=fields.text("FL_FEDERATION"), epoch=epoch, answer=fields.echo("FL_SERVER_REQUEST")
    )


def _supernode(fields: Fields, common: _Common) -> SuperNodeContext:
    for name in ("FL_SERVER_KEY", "FL_SERVER_CERT"):
        if fields.text(name):
            fields.refuse(
                name,
                "it must not be given to a SuperNode",
                "the server key belongs to the SuperLink's own VM only",
                f"Remove {name} from the SuperNode role in {CONTEXT_PLACE}",
                secret=True,
            )
    host, port = fields.endpoint("FL_SUPERLINK_ADDRESS", "the SuperNode dials this address and nothing else")
    partitions = fields.integer("FL_NUM_PARTITIONS", least=1, default=None)
    if partitions is None and not fields.text("FL_NUM_PARTITIONS"):
        fields.required("FL_NUM_PARTITIONS", "the share of the zone's data is partition id modulo this constant")
    return SuperNodeContext(
        **_fields_of(common.values),
        superlink_host=host,
        superlink_port=port,
        partition_base=fields.integer("FL_PARTITION_BASE", least=0, default=0) or 0,
        partition_id=fields.integer("FL_PARTITION_ID", least=0, default=None),
        num_partitions=partitions or 1,
        data=read_data(fields),
        trusted_entities=_trusted_entities(fields),
        key_epochs=fields.counts("FL_NODE_KEY_EPOCHS", "a node that is named makes a new key when its count grows"),
    )


def _trusted_entities(fields: Fields) -> Mapping[str, str] | None:
    name = "FL_TRUSTED_ENTITIES"
    if not fields.text(name):
        return None
    raw = fields.decoded(name, why="", required=True)
    return fields.parsed(name, raw, parse_trusted, "a JSON object with at least one name and its ssh-ed25519 key")


def _fields_of(common: Context) -> dict[str, Any]:
    return {name: getattr(common, name) for name in Context.__dataclass_fields__}


def _text(raw: bytes) -> str:
    text = raw.decode("ascii", errors="replace").strip()
    return f"{text}\n" if text else ""
