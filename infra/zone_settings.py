"""Settings of a stack of kind `zone`: its centre, its pool of SuperNodes, and its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.contextualization import check_fingerprint
from components.data_source import DataSource
from components.gpu import TemplateSection, passthrough
from components.node_keys import parse_epochs
from components.node_names import PARTITIONS_PER_ZONE, check_partition_base
from components.sizing import SUPERNODE_MEMORY_FLOOR_MB, check_cpu, check_memory, check_pool_size, check_vcpu
from components.stack_facts import qualified
from components.supernode_pool import ROLE_NAME
from components.trusted_entities import TrustedEntity, check_trusted
from infra.cloud_settings import CloudSettings, Surroundings
from infra.config_reader import UNKNOWN, Problems, Section
from infra.data_settings import KEYS as DATA_KEYS
from infra.data_settings import read_data
from infra.egress_settings import EGRESS_KEYS, EgressSettings, read_egress
from infra.site_settings import Common, Site

ZONE_KEYS = (
    "central",
    "supernodes",
    "supernode",
    "partitionBase",
    "partitions",
    "data",
    "nodeKeyEpochs",
    "trustedEntities",
    *EGRESS_KEYS,
)
_CENTRAL_KEYS = ("stack", "bundle", "caFingerprint")
_SUPERNODE_KEYS = ("memoryMb", "cpu", "vcpu", "gpu")
_GPU_KEYS = ("profile", "cards")
_ENTITY_KEYS = ("id", "key")


@dataclass(frozen=True, kw_only=True)
class SupernodeSettings:
    """One SuperNode's VM."""

    memory_mb: int
    cpu: float
    vcpu: int
    gpu: tuple[TemplateSection, ...]


@dataclass(frozen=True, kw_only=True)
class CentralSource:
    """Where the zone gets the facts of its centre from: exactly one of the two ways."""

    stack: str | None
    """Full name of the centre's stack, in the backend that this zone uses, too."""
    bundle: Path | None
    """The join bundle that the centre's operator sent."""
    ca_fingerprint: str | None
    """The operator's pin of the federation's CA; a zone with a bundle does not join without it."""


@dataclass(frozen=True, kw_only=True)
class ZoneSettings:
    """Everything that a zone's stack is made from."""

    common: Common
    cloud: CloudSettings
    site: Site
    central: CentralSource
    supernodes: int
    supernode: SupernodeSettings
    partition_base: int
    partitions: int
    data: DataSource
    rekeyed: Mapping[str, int]
    """How often each node was told to make a new key, by the end of its name."""
    trusted: tuple[TrustedEntity, ...] | None
    """Whose signature an app needs to run on the zone's data; None: every app runs."""
    egress: EgressSettings


def read_zone(
    section: Section,
    problems: Problems,
    machine: Surroundings,
    *,
    common: Common,
    cloud: CloudSettings,
    site: Site,
) -> ZoneSettings:
    """Read what only a zone has, and end the reading.

    Raises:
        SeveralRefusalsError: Something was refused, here or before.
    """
    central = problems.attempt(lambda: section.section("central", known=_CENTRAL_KEYS))
    source = problems.attempt(lambda: _read_central(central, problems, machine), given=(central,))
    count = problems.attempt(lambda: section.integer("supernodes"))
    addresses = UNKNOWN if site.network is UNKNOWN else site.network.addresses  # type: ignore[comparison-overlap]
    problems.attempt(lambda: check_pool_size(count, site.network.addresses), given=(count, addresses))
    nodes = problems.attempt(lambda: section.section("supernode", known=_SUPERNODE_KEYS))
    supernode = problems.attempt(lambda: _read_supernode(nodes, problems), given=(nodes,))
    base = problems.attempt(lambda: check_partition_base(section.integer("partitionBase"), where="partitionBase"))
    partitions = problems.attempt(lambda: _read_partitions(section))
    data = problems.attempt(lambda: section.section("data", known=DATA_KEYS))
    source_of_data = problems.attempt(lambda: read_data(data, machine), given=(data,))
    rekeyed = problems.attempt(
        lambda: parse_epochs(section.texts("nodeKeyEpochs"), where="nodeKeyEpochs", role=ROLE_NAME)
    )
    trusted = problems.attempt(lambda: _read_trusted(section))
    egress = read_egress(section, problems)
    problems.finish()
    return ZoneSettings(
        common=common,
        cloud=cloud,
        site=site,
        central=source,
        supernodes=count,
        supernode=supernode,
        partition_base=base,
        partitions=partitions,
        data=source_of_data,
        rekeyed=rekeyed,
        trusted=trusted,
        egress=egress,
    )


def _read_central(section: Section, problems: Problems, machine: Surroundings) -> CentralSource:
    if section.has("stack") and section.has("bundle"):
        raise section.wrong(
            "stack and bundle",
            [section.text("stack"), section.text("bundle")],
            "one of the two",
            reason="two sources could name two centres, and none of them is the obvious one",
        )
    bundle, stack = section.optional_text("bundle"), None
    if bundle is None:
        stack = problems.attempt(lambda: qualified(section.text("stack"), project="flower-federation"))
    return CentralSource(
        stack=stack,
        bundle=None if bundle is None else machine.path(bundle),
        ca_fingerprint=problems.attempt(lambda: _read_pin(section)),
    )


def _read_pin(central: Section) -> str | None:
    text = central.optional_text("caFingerprint")
    return None if text is None else check_fingerprint(text, where="central.caFingerprint")


def _read_supernode(section: Section, problems: Problems) -> SupernodeSettings:
    gpu = problems.attempt(lambda: section.section("gpu", known=_GPU_KEYS))
    return SupernodeSettings(
        memory_mb=problems.attempt(
            lambda: check_memory(
                section.integer("memoryMb", 1024), floor_mb=SUPERNODE_MEMORY_FLOOR_MB, where="supernode.memoryMb"
            )
        ),
        cpu=problems.attempt(lambda: check_cpu(section.number("cpu", 1.0), where="supernode.cpu")),
        vcpu=problems.attempt(lambda: check_vcpu(section.integer("vcpu", 2), where="supernode.vcpu")),
        gpu=problems.attempt(lambda: _read_gpu(gpu), given=(gpu,)),
    )


def _read_gpu(section: Section) -> tuple[TemplateSection, ...]:
    if not section.has("profile") and not section.has("cards"):
        return ()
    return passthrough(section.text("profile"), cards=section.integer("cards", 1))


def _read_trusted(section: Section) -> tuple[TrustedEntity, ...] | None:
    if not section.has("trustedEntities"):
        return None
    entries = section.sections("trustedEntities", known=_ENTITY_KEYS)
    return check_trusted([TrustedEntity(id=entry.text("id"), key=entry.text("key")) for entry in entries])


def _read_partitions(section: Section) -> int:
    count = section.integer("partitions")
    if not 1 <= count <= PARTITIONS_PER_ZONE:
        raise section.wrong(
            "partitions",
            count,
            f"1 to {PARTITIONS_PER_ZONE}",
            reason="the zone's data divides into that many shards, whatever the size of the pool",
        )
    return count
