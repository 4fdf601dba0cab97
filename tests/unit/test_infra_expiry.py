"""Previews of centre and zone: silent while certificates are good, then a warning, and a failure once one has ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pulumi
import pytest
from cryptography import x509

from components.errors import RefusalError
from infra import central, zone
from infra.central_settings import CentralSettings
from infra.zone_settings import ZoneSettings
from tests.components_support import RecordingCloud, authority, run_and_resolve
from tests.infra_support import load_stack

MADRID = "organization/flower-federation/madrid-central"
SECOND, MONTH = timedelta(seconds=1), timedelta(days=30)
CA = authority()
END = x509.load_pem_x509_certificate(CA.pem.encode()).not_valid_after_utc
"""Of every certificate of the recording cloud's."""


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the engine is told to warn of."""
    found: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_: found.append(text))
    return found


def run_centre(folder: Path, now: datetime) -> None:
    settings = load_stack("madrid-central", folder)
    assert isinstance(settings, CentralSettings)
    run_and_resolve(RecordingCloud(), lambda: central.declare(settings, now=now))


def run_zone(folder: Path, now: datetime) -> None:
    facts: dict[str, Any] = {"ca_certificate": CA.pem, "ca_fingerprint": CA.fingerprint, "federation": "demo"}
    facts |= {"superlink_fleet_endpoint": "127.10.1.10:9092", "flower_version": "1.41.0"}
    settings = load_stack("berlin-hospital", folder)
    assert isinstance(settings, ZoneSettings)
    run_and_resolve(RecordingCloud(stacks={MADRID: facts}), lambda: zone.declare(settings, now=now))


BOTH = pytest.mark.parametrize(
    ("run", "subjects"),
    [
        (run_centre, {"CA certificate of the federation demo", "server certificate of the SuperLink"}),
        (run_zone, {"CA certificate of the federation demo"}),
    ],
    ids=["centre", "zone"],
)


@pytest.mark.parametrize("run", [run_centre, run_zone])
def test_nothing_is_said_of_certificates_that_have_more_than_thirty_days(
    run: Callable[..., None], tmp_path: Path, warned: list[str]
) -> None:
    run(tmp_path, END - MONTH - SECOND)
    assert warned == []


@BOTH
def test_each_is_told_from_thirty_days_before_its_end_with_what_to_do(
    run: Callable[..., None], subjects: set[str], tmp_path: Path, warned: list[str]
) -> None:
    run(tmp_path, END - MONTH)
    assert {text.partition(": expires at ")[0] for text in warned} == subjects
    assert all("in 30 days" in text and "pulumi up" in text for text in warned)


@BOTH
def test_a_preview_fails_once_one_has_ended(
    run: Callable[..., None], subjects: set[str], tmp_path: Path, warned: list[str]
) -> None:
    with pytest.raises(RefusalError) as refusal:
        run(tmp_path, END)
    assert refusal.value.value.partition(": expired at ")[0] in subjects
    assert "run pulumi up on the central stack" in refusal.value.remedy
    assert warned == []
