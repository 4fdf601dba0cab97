"""Settings of a stack of kind `central`: the SuperLink, who may operate it, and which zones it trusts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from components.authorities import CaPlan
from components.contextualization import check_endpoint_host
from components.egress import check_admin_networks
from components.node_names import check_zone_name
from components.pki_rules import server_identities
from components.revocation import check_revoked
from components.server_key import check_place
from components.sizing import (
    SUPERLINK_MEMORY_FLOOR_MB,
    check_cpu,
    check_memory,
    check_superlink_address,
    check_vcpu,
)
from components.stack_facts import qualified
from components.zone_answer import ANSWERS_FOLDER
from infra.certificate_settings import CERTIFICATE_KEYS, CertificateSettings
from infra.cloud_settings import CloudSettings, Surroundings
from infra.config_reader import UNKNOWN, Problems, Section
from infra.egress_settings import EGRESS_KEYS, EgressSettings, read_egress
from infra.people_settings import PEOPLE_KEYS, PeopleSettings, read_people
from infra.rollover_settings import ROLLOVER_KEYS, read_rollover
from infra.site_settings import Common, Site

CENTRAL_KEYS = (
    "superlink",
    "adminNetworks",
    "numClients",
    "zones",
    *CERTIFICATE_KEYS,
    *PEOPLE_KEYS,
    *EGRESS_KEYS,
    *ROLLOVER_KEYS,
)
_SUPERLINK_KEYS = ("address", "host", "names", "memoryMb", "cpu", "vcpu", "serverKey", "serverKeyEpoch", "appHub")
_MOST = 2**31 - 1
"""Of counts in CONTEXT (flower_appliance.fields.INT_MAX)."""
_ZONE_KEYS = ("name", "stack", "answer", "maxNodes", "networks", "revoked")


@dataclass(frozen=True, kw_only=True)
class SuperLinkSettings:
    """The SuperLink's VM."""

    address: IPv4Address
    host: str | None
    """Name under which zones reach it; None is its address."""
    names: tuple[str, ...]
    """Further DNS names for its certificate."""
    memory_mb: int
    cpu: float
    vcpu: int
    server_key: str | None
    """Where its key is made, `vm` or `stack`; None: where FederationPKI makes it by default."""
    server_key_epoch: int
    """How often a new key was asked for."""
    app_hub: str | None
    """URL of the hub that it fetches signed apps from; None: Flower's own."""


@dataclass(frozen=True, kw_only=True)
class TrustedZone:
    """A zone whose nodes the centre enrols."""

    name: str
    stack: str | None
    """Full name of its stack in the centre's own backend; None for a zone that answers with a file."""
    answer: Path | None
    """The answer that was accepted; None for a zone with a stack, or one that has not answered yet."""
    max_nodes: int
    networks: tuple[IPv4Network, ...]
    """Where its nodes dial from; none: the centre does not know."""
    revoked: tuple[str, ...]
    """Names and key fingerprints of its nodes that are no longer let in."""


@dataclass(frozen=True, kw_only=True)
class CentralSettings:
    """Everything that a central stack is made from."""

    common: Common
    cloud: CloudSettings
    site: Site
    superlink: SuperLinkSettings
    admin_networks: tuple[IPv4Network, ...]
    num_clients: int | None
    zones: tuple[TrustedZone, ...]
    certificates: CertificateSettings
    control: PeopleSettings
    ca: CaPlan
    egress: EgressSettings

    @property
    def fleet_networks(self) -> tuple[IPv4Network, ...]:
        """Networks that may reach the Fleet port; none where one zone's are not known, so that it stays open."""
        if not all(zone.networks for zone in self.zones):
            return ()
        return tuple(network for zone in self.zones for network in zone.networks)


def read_central(
    section: Section,
    problems: Problems,
    machine: Surroundings,
    *,
    common: Common,
    cloud: CloudSettings,
    site: Site,
    certificates: CertificateSettings,
) -> CentralSettings:
    """Read what only a central stack has, and end the reading.

    Raises:
        SeveralRefusalsError: Something was refused, here or before.
    """
    superlink_section = problems.attempt(lambda: section.section("superlink", known=_SUPERLINK_KEYS))
    superlink = problems.attempt(
        lambda: _read_superlink(superlink_section, problems, site, own_ca=section.has("ca")), given=(superlink_section,)
    )
    admin_networks = problems.attempt(
        lambda: check_admin_networks(section.networks("adminNetworks"), where="adminNetworks")
    )
    num_clients = problems.attempt(
        lambda: section.integer("numClients", least=1, most=_MOST) if section.has("numClients") else None
    )
    zone_sections = problems.attempt(lambda: section.sections("zones", known=_ZONE_KEYS))
    zones = tuple(
        _read_zone(entry, problems, machine)
        for entry in (() if zone_sections is UNKNOWN else zone_sections)  # type: ignore[comparison-overlap]
    )
    problems.attempt(lambda: _refuse_twice(section, zones))
    control = read_people(section, problems)
    plan = problems.attempt(lambda: read_rollover(section))
    egress = read_egress(section, problems)
    problems.finish()
    return CentralSettings(
        common=common,
        cloud=cloud,
        site=site,
        superlink=superlink,
        admin_networks=admin_networks,
        num_clients=num_clients,
        zones=zones,
        certificates=certificates,
        control=control,
        ca=plan,
        egress=egress,
    )


def _read_superlink(section: Section, problems: Problems, site: Site, *, own_ca: bool) -> SuperLinkSettings:
    address = problems.attempt(lambda: section.address("address"))
    addresses = UNKNOWN if site.network is UNKNOWN else site.network.addresses  # type: ignore[comparison-overlap]
    problems.attempt(lambda: check_superlink_address(address, site.network.addresses), given=(address, addresses))
    host = problems.attempt(lambda: _read_host(section))
    names = problems.attempt(lambda: section.texts("names"))
    problems.attempt(
        lambda: server_identities([*([] if host is None else [host]), *names], [str(address)]),
        given=(address, host, names),
    )
    return SuperLinkSettings(
        address=address,
        host=host,
        names=names,
        memory_mb=problems.attempt(
            lambda: check_memory(
                section.integer("memoryMb", 1024), floor_mb=SUPERLINK_MEMORY_FLOOR_MB, where="superlink.memoryMb"
            )
        ),
        cpu=problems.attempt(lambda: check_cpu(section.number("cpu", 1.0), where="superlink.cpu")),
        vcpu=problems.attempt(lambda: check_vcpu(section.integer("vcpu", 2), where="superlink.vcpu")),
        server_key=problems.attempt(lambda: _read_key_place(section, own_ca)),
        server_key_epoch=problems.attempt(lambda: _read_key_epoch(section)),
        app_hub=problems.attempt(lambda: _read_app_hub(section)),
    )


def _read_host(section: Section) -> str | None:
    host = section.optional_text("host")
    return None if host is None else check_endpoint_host(host, where=section.name("host"))


def _read_key_place(section: Section, own_ca: bool) -> str | None:
    if not section.has("serverKey"):
        return None
    return check_place(section.text("serverKey"), own_ca=own_ca, where=section.name("serverKey"))


def _read_app_hub(section: Section) -> str | None:
    url = section.optional_text("appHub")
    if url is not None and re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", url) is None:
        raise section.wrong(
            "appHub",
            url,
            "an http or https URL such as https://hub.example/v1, without a query",
            reason="the SuperLink asks for apps below it, at /hub/fetch-fab",
        )
    return None if url is None else url.rstrip("/")


def _read_key_epoch(section: Section) -> int:
    return section.integer("serverKeyEpoch", 0, least=0, most=_MOST)


def _read_zone(section: Section, problems: Problems, machine: Surroundings) -> TrustedZone:
    name = problems.attempt(lambda: check_zone_name(section.text("name"), where=section.name("name")))
    problems.attempt(lambda: _refuse_both(section))
    return TrustedZone(
        name=name,
        stack=problems.attempt(
            lambda: qualified(section.text("stack"), project="flower-federation") if section.has("stack") else None
        ),
        answer=problems.attempt(lambda: _find_answer(section, machine, name), given=(name,)),
        max_nodes=problems.attempt(lambda: _read_max_nodes(section)),
        networks=problems.attempt(lambda: section.networks("networks") if section.has("networks") else ()),
        revoked=problems.attempt(lambda: _read_revoked(section, name), given=(name,)),
    )


def _read_revoked(section: Section, zone: str) -> tuple[str, ...]:
    where = section.name("revoked")
    return tuple(check_revoked(entry, zone=zone, where=where) for entry in section.texts("revoked"))


def _refuse_both(section: Section) -> None:
    if section.has("stack") and section.has("answer"):
        raise section.wrong(
            "stack and answer",
            [section.text("stack"), section.text("answer")],
            "one of the two, or none for a zone that is invited and has not answered yet",
            reason="a zone's nodes come from one place",
        )


def _find_answer(section: Section, machine: Surroundings, zone: str) -> Path | None:
    if section.has("stack"):
        return None
    if not section.has("answer"):
        usual = machine.path(f"{ANSWERS_FOLDER}/{zone}.json")
        return usual if usual.is_file() else None
    path = machine.path(section.text("answer"))
    if not path.is_file():
        raise section.wrong(
            "answer",
            section.text("answer"),
            f"an existing file, and {path} is none",
            reason="without it every key of the zone would be revoked",
        )
    return path


def _read_max_nodes(section: Section) -> int:
    count = section.integer("maxNodes")
    if count < 0:
        raise section.wrong("maxNodes", count, "0 or more", reason="0 keeps a zone listed and lets nobody in")
    return count


def _refuse_twice(section: Section, zones: tuple[TrustedZone, ...]) -> None:
    stacks = [zone.stack for zone in zones if zone.stack is not None]
    for names in ([zone.name for zone in zones], stacks):
        twice = sorted({name for name in names if name is not UNKNOWN and names.count(name) > 1})  # type: ignore[comparison-overlap]
        if twice:
            raise section.wrong(
                "zones",
                ", ".join(twice),
                "a list that names each zone and each stack once",
                reason="each entry's maxNodes would count for the same nodes again",
            )
