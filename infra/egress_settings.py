"""Settings of what a stack's VMs may dial and who may dial them: `egress`, and the networks of trusted zones.

It reads and refuses; which rules follow is decided in components/egress.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from components.egress import Infrastructure, NamedHost, check_host, check_network
from infra.config_reader import UNKNOWN, Problems, Section

EGRESS_KEYS = ("egress",)
_KEYS = ("onegate", "dns", "ntp", "hosts")
_HOST_KEYS = ("name", "address", "port", "protocol")


@dataclass(frozen=True, kw_only=True)
class EgressSettings:
    """What VMs may dial beyond their SuperLink."""

    services: Infrastructure
    hosts: tuple[NamedHost, ...]


def read_egress(section: Section, problems: Problems) -> EgressSettings:
    """Read `egress`; `problems` collects what is refused."""
    egress = problems.attempt(lambda: section.section("egress", known=_KEYS))
    onegate, dns, ntp = (
        problems.attempt(lambda key=key: _network(egress, key), given=(egress,))  # type: ignore[misc]
        for key in ("onegate", "dns", "ntp")
    )
    entries = problems.attempt(lambda: egress.sections("hosts", known=_HOST_KEYS), given=(egress,))
    hosts = tuple(
        problems.attempt(lambda entry=entry: _host(entry))  # type: ignore[misc]
        for entry in (() if entries is UNKNOWN else entries)  # type: ignore[comparison-overlap]
    )
    return EgressSettings(services=Infrastructure(onegate=onegate, dns=dns, ntp=ntp), hosts=hosts)


def _network(section: Section, key: str) -> IPv4Network | None:
    text = section.optional_text(key)
    return None if text is None else check_network(text, where=section.name(key))


def _host(section: Section) -> NamedHost:
    return check_host(
        name=section.text("name"),
        address=section.text("address"),
        port=section.integer("port"),
        protocol=section.text("protocol", "TCP"),
        where=section.name("name").rpartition(".")[0],
    )
