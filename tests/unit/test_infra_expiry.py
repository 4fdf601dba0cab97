"""Previews of centre and zone: silent while certificates are good, then a warning, and a failure once one has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pulumi
import pytest
from cryptography import x509

from components.errors import RefusalError
from infra import central, zone
from infra.central_settings import CentralSettings
from infra.settings import RawConfig, load
from infra.zone_settings import ZoneSettings
from tests.components_support import RecordingCloud, authority, run_and_resolve
from tests.infra_support import as_texts, load_stack, machine, stack_values
from tests.join_support import NOW as BUNDLE_NOW
from tests.join_support import pem, root, server

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


def run_centre(folder: Path, now: datetime, *, renews: bool = False) -> RecordingCloud:
    """The centre's program where the update before has left certificates; what it declared."""
    settings = load_stack("madrid-central", folder)
    assert isinstance(settings, CentralSettings)
    settings = replace(settings, certificates=replace(settings.certificates, renews=renews))
    cloud = RecordingCloud(stacks={MADRID: {"ca_certificate": CA.pem, "server_certificate": CA.pem}})
    run_and_resolve(cloud, lambda: central.declare(settings, now=now), stack="madrid-central")
    return cloud


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


def test_a_zones_preview_fails_once_the_ca_has_ended(tmp_path: Path, warned: list[str]) -> None:
    with pytest.raises(RefusalError) as refusal:
        run_zone(tmp_path, END)
    assert refusal.value.value == f"CA certificate of the federation demo: expired at {END.isoformat()}"
    assert "federation rotate ca --renew" in refusal.value.remedy
    assert warned == []


def test_a_centres_preview_fails_once_one_has_ended_and_declares_nothing(tmp_path: Path, warned: list[str]) -> None:
    declared: list[RecordingCloud] = []
    with pytest.raises(RefusalError) as refusal:
        declared.append(run_centre(tmp_path, END))
    assert refusal.value.value == f"CA certificate of the federation demo: expired at {END.isoformat()}"
    assert refusal.value.remedy.startswith("run federation rotate ca --renew, which makes it anew")
    assert (declared, warned) == ([], [])


def test_an_update_that_is_there_to_renew_goes_on_and_says_what_has_ended(tmp_path: Path, warned: list[str]) -> None:
    cloud = run_centre(tmp_path, END + MONTH, renews=True)
    assert {text.partition(": expired at ")[0] for text in warned} == {
        "CA certificate of the federation demo",
        "server certificate of the SuperLink",
    }
    assert all(text.endswith("This update renews it.") for text in warned)
    assert cloud.of("tls:index/selfSignedCert:SelfSignedCert")


def test_a_centre_that_gives_up_a_ca_of_its_operators_says_what_becomes_of_the_nodes(
    tmp_path: Path, warned: list[str]
) -> None:
    settings = load_stack("madrid-central", tmp_path)
    assert isinstance(settings, CentralSettings)
    cloud = RecordingCloud(stacks={MADRID: {"ca_certificate": pem(root()), "server_certificate": pem(server())}})
    run_and_resolve(cloud, lambda: central.declare(settings, now=BUNDLE_NOW), stack="madrid-central")

    (told,) = warned
    assert "nodes lose the centre until" in told
    assert "federation rotate ca --renew" in told


@pytest.mark.parametrize(
    ("environment", "renews"), [({}, False), ({"FEDERATION_RENEW": "yes"}, True), ({"FEDERATION_RENEW": "no"}, False)]
)
def test_the_environment_says_that_an_update_renews(environment: dict[str, str], renews: bool, tmp_path: Path) -> None:
    raw = RawConfig(stack="madrid-central", values=as_texts(stack_values("madrid-central")), secret_keys=frozenset())
    settings = load(raw, machine(tmp_path, environment, zones=("madrid",)))
    assert isinstance(settings, CentralSettings)
    assert settings.certificates.renews is renews
