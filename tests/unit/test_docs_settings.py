"""docs/reference/settings.md has a row for every key that the program takes, and for no other."""

from __future__ import annotations

import re
from pathlib import Path

from infra import (
    central_settings,
    certificate_settings,
    cloud_settings,
    data_settings,
    egress_settings,
    people_settings,
    rollover_settings,
    settings,
    site_settings,
    zone_settings,
)

ROOT = Path(__file__).resolve().parents[2]
NESTED = {
    "network": site_settings._NETWORK_KEYS,
    "image": site_settings._IMAGE_KEYS,
    "superlink": central_settings._SUPERLINK_KEYS,
    "zones": central_settings._ZONE_KEYS,
    "people": people_settings._PERSON_KEYS,
    "certificates": certificate_settings._LIFETIME_KEYS,
    "ca": certificate_settings._CA_KEYS,
    "caRollover": rollover_settings._KEYS,
    "egress": egress_settings._KEYS,
    "egress.hosts": egress_settings._HOST_KEYS,
    "central": zone_settings._CENTRAL_KEYS,
    "supernode": zone_settings._SUPERNODE_KEYS,
    "supernode.gpu": zone_settings._GPU_KEYS,
    "packages": site_settings._PACKAGE_KEYS,
    "data": data_settings.KEYS,
    "trustedEntities": zone_settings._ENTITY_KEYS,
}
LISTS = {"egress.hosts", "people", "trustedEntities", "zones"}
"""Keys that are lists of sections: they have a row of their own besides those of their entries."""


def known() -> set[str]:
    top = {
        *settings._COMMON_KEYS,
        *cloud_settings.CLOUD_KEYS,
        *site_settings.SITE_KEYS,
        *central_settings.CENTRAL_KEYS,
        *zone_settings.ZONE_KEYS,
    }
    nested = {f"{section}.{key}" for section, keys in NESTED.items() for key in keys}
    containers = {section for section in NESTED if section not in LISTS}
    return (top | nested) - containers


def documented() -> set[str]:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_key_has_a_row() -> None:
    assert known() - documented() == set()


def test_no_row_is_about_a_key_that_the_program_refuses() -> None:
    assert documented() - known() == set()
