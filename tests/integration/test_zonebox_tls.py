"""TLS on all three endpoints: the zone's own CA proves them, nobody else's does, and there is no way around it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from cryptography import x509

from tests.patience import PATIENCE_S
from tests.zonebox_support import settings_for
from zonebox.embedded import EmbeddedZone
from zonebox.errors import ConfigError
from zonebox.zone import Zone

SERVICES = ("oned", "oneflow", "onegate")


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedZone, EmbeddedZone]]:
    """Two zones."""
    settings = [settings_for(tmp_path_factory.mktemp("zone"), plain_http=False) for _ in range(2)]
    with EmbeddedZone(settings[0]) as first, EmbeddedZone(settings[1]) as second:
        yield first, second


def url_of(zone: EmbeddedZone, service: str) -> str:
    return str(getattr(zone.endpoints, service))


@pytest.mark.parametrize("service", SERVICES)
def test_each_endpoint_is_proved_by_the_zones_own_ca_and_by_no_other(
    zones: tuple[EmbeddedZone, EmbeddedZone], service: str
) -> None:
    zone, other = zones
    url = url_of(zone, service)
    assert url.startswith("https://")
    assert requests.get(url, verify=str(zone.ca_file), timeout=PATIENCE_S).status_code < 500
    for verify in (str(other.ca_file), True):
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, verify=verify, timeout=PATIENCE_S)


@pytest.mark.parametrize("service", SERVICES)
def test_no_endpoint_answers_without_tls(zones: tuple[EmbeddedZone, EmbeddedZone], service: str) -> None:
    where = urlsplit(url_of(zones[0], service))
    with pytest.raises(requests.RequestException):
        requests.get(f"http://{where.netloc}/", timeout=PATIENCE_S)


def test_the_ca_is_made_at_the_first_start_and_kept_at_the_second(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, plain_http=False)
    with EmbeddedZone(settings) as zone:
        assert zone.ca_file is not None
        first = zone.ca_file.read_bytes()
        constraints = x509.load_pem_x509_certificate(first).extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical and constraints.value.ca
    with EmbeddedZone(settings) as zone:
        assert zone.ca_file is not None and zone.ca_file.read_bytes() == first
        assert requests.get(url_of(zone, "oneflow"), verify=str(zone.ca_file), timeout=PATIENCE_S).status_code == 401


async def test_plain_http_is_served_where_it_is_asked_for_and_on_loopback_only(tmp_path: Path) -> None:
    with EmbeddedZone(settings_for(tmp_path, plain_http=True)) as zone:
        assert [url_of(zone, service).split(":")[0] for service in SERVICES] == ["http"] * 3
        assert zone.ca_file is None
    for address in ("0.0.0.0", "192.0.2.1"):
        with pytest.raises(ConfigError, match=address):
            await Zone(settings_for(tmp_path / "other", plain_http=True, address=address)).start()
