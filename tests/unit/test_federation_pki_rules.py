"""The pure rules beside FederationPKI: names, fingerprints, expiry."""

from __future__ import annotations

from datetime import timedelta

import pytest

from components.errors import RefusalError
from components.pki_rules import (
    certificate_fingerprint,
    check_federation,
    expiry_warning,
    server_identities,
    verify_fingerprint,
)
from tests.tls_support import NOON, SELF_SIGNED, Plugin, authority, ca_inputs, key_pem

END = NOON.replace(microsecond=0) + timedelta(hours=1000)


@pytest.fixture
async def ca() -> str:
    """A CA certificate that ends at END."""
    _, pem = await authority(Plugin())
    return pem


async def test_a_fingerprint_in_the_form_of_openssl_matches(ca: str) -> None:
    plain = certificate_fingerprint(ca)
    verify_fingerprint(ca, plain)
    verify_fingerprint(ca, ":".join(plain[at : at + 2] for at in range(0, 64, 2)).upper())


async def test_another_ca_is_refused_with_both_fingerprints_and_what_to_do(ca: str) -> None:
    plugin = Plugin()
    other = await plugin.made(SELF_SIGNED, ca_inputs(await key_pem(plugin, "P521")))
    fingerprint = certificate_fingerprint(str(other["certPem"]))
    with pytest.raises(RefusalError) as refusal:
        verify_fingerprint(ca, fingerprint)
    assert certificate_fingerprint(ca) in refusal.value.value
    assert fingerprint in refusal.value.rule
    assert "ask the centre's operator" in refusal.value.remedy


@pytest.mark.parametrize("fingerprint", ["", "ab", "z" * 64, "a" * 63])
async def test_a_malformed_fingerprint_is_refused_as_such(ca: str, fingerprint: str) -> None:
    with pytest.raises(RefusalError, match="64 hexadecimal digits"):
        verify_fingerprint(ca, fingerprint)


async def test_the_same_certificate_twice_or_three_certificates_are_refused(ca: str) -> None:
    plugin = Plugin()
    others = [
        str((await plugin.made(SELF_SIGNED, ca_inputs(await key_pem(plugin, "P256"))))["certPem"]) for _ in range(2)
    ]
    for bundle in (ca + ca, ca + "".join(others)):
        with pytest.raises(RefusalError, match="2 different ones"):
            certificate_fingerprint(bundle)


async def test_two_cas_are_the_ones_that_two_fingerprints_were_told_for_in_any_order(ca: str) -> None:
    plugin = Plugin()
    other = str((await plugin.made(SELF_SIGNED, ca_inputs(await key_pem(plugin, "P256"))))["certPem"])
    first, second = certificate_fingerprint(ca), certificate_fingerprint(other)
    assert certificate_fingerprint(ca + other) == f"{first} {second}"
    verify_fingerprint(ca + other, f"{second} {first}")
    for told in (first, second):
        with pytest.raises(RefusalError, match="has the fingerprint"):
            verify_fingerprint(ca + other, told)


@pytest.mark.parametrize("pem", ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_text_that_is_no_certificate_is_refused(pem: str) -> None:
    with pytest.raises(RefusalError, match=f"{len(pem)} characters"):
        certificate_fingerprint(pem)


async def test_nothing_is_said_until_thirty_days_before_the_end(ca: str) -> None:
    assert expiry_warning(ca, what="CA", now=END - timedelta(days=30, seconds=1)) is None


async def test_a_warning_starts_thirty_days_before_the_end_and_says_how_long(ca: str) -> None:
    warning = expiry_warning(ca, what="CA of tests", now=END - timedelta(days=30))
    assert warning is not None
    assert warning.startswith("CA of tests: expires at ")
    assert "in 30 days" in warning
    assert "pulumi up" in warning


async def test_a_certificate_is_refused_from_its_end_on(ca: str) -> None:
    assert expiry_warning(ca, what="CA", now=END - timedelta(seconds=1)) is not None
    with pytest.raises(RefusalError) as refusal:
        expiry_warning(ca, what="CA of tests", now=END)
    assert "CA of tests: expired" in refusal.value.value
    assert "pulumi up" in refusal.value.remedy


def test_an_address_among_the_names_is_treated_as_an_address() -> None:
    found = server_identities(["192.0.2.7", "SuperLink.Example"], ["2001:DB8::1"])
    assert found.dns_names == ("superlink.example", "localhost")
    assert found.addresses == ("192.0.2.7", "2001:db8::1", "127.0.0.1")


@pytest.mark.parametrize("name", ["", ".", "a.", "-a.example", "a-.example", "a b", "ä.example", "1.2.3", "a" * 64])
def test_a_name_that_no_client_could_dial_is_refused(name: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        server_identities([name], ["192.0.2.7"])
    assert repr(name) in refusal.value.value
    assert "superlink.host" in refusal.value.remedy


@pytest.mark.parametrize(("names", "addresses"), [([], []), (["localhost"], ["127.0.0.1"]), (["127.0.0.1"], [])])
def test_a_server_that_only_loopback_reaches_is_refused(names: list[str], addresses: list[str]) -> None:
    with pytest.raises(RefusalError, match="at least one name or address"):
        server_identities(names, addresses)


@pytest.mark.parametrize("name", ["", "   ", "a" * 65, "line\nbreak"])
def test_a_federation_name_that_certificates_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        check_federation(name)
    assert repr(name) in refusal.value.value
