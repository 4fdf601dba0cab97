"""Certificates that were signed elsewhere: what would stop a node, a gateway or a bundle is refused at preview."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from components.errors import RefusalError
from components.join_bundle import SIGNER_NAME
from components.own_ca_rules import check_authority, check_key, check_server_chain, check_signer, read_chain
from components.pki_rules import MAX_LEAF_VALIDITY, ServerIdentities
from tests.join_support import ADDRESSES, NAMES, NOW, Wish, ec_key, issue, key_pem, key_usage, pem, root, server, signer

IDENTITIES = ServerIdentities(dns_names=NAMES, addresses=ADDRESSES)
MOST_ISSUERS = 4
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
FAR = NOW + 19_000 * DAY
"""Beyond any clock that OpenSSL, which reads the machine's, will see."""


def refusal(check: Any, *arguments: Any, **named: Any) -> RefusalError:
    with pytest.raises(RefusalError) as refused:
        check(*arguments, **named)
    return refused.value


def check_chain(*chain: x509.Certificate, identities: ServerIdentities = IDENTITIES) -> None:
    check_server_chain(chain, root(), identities=identities, now=NOW)


@cache
def issuers(count: int) -> tuple[x509.Certificate, ...]:
    """CAs between a server and the root, nearest to the server first; that of depth n has the key 100 + n."""
    made = []
    for depth in range(count):
        above = "root" if depth == count - 1 else f"issuer {depth + 1}"
        key = ec_key(1 if depth == count - 1 else 101 + depth)
        made.append(issuer(depth, name=above, key=key))
    return tuple(made)


def issuer(depth: int, *, name: str, key: ec.EllipticCurvePrivateKey, **changes: Any) -> x509.Certificate:
    wish = {"ca": True, "usage": key_usage("key_cert_sign"), "purposes": (), "end": FAR}
    return issue(
        Wish(**{"name": f"issuer {depth}", "key": ec_key(100 + depth), **wish, **changes}), issuer=name, issuer_key=key
    )


def below(count: int, **wish: Any) -> x509.Certificate:
    """A server's certificate that as many CAs separate from the root."""
    return server(1, **wish) if count == 0 else server(100, issuer="issuer 0", **wish)


@pytest.mark.parametrize("count", range(MOST_ISSUERS + 1))
def test_a_chain_of_any_length_leads_to_the_root(count: int) -> None:
    check_chain(below(count), *issuers(count))


@given(st.integers(1, MOST_ISSUERS), st.data())
def test_a_chain_in_another_order_or_with_one_missing_or_one_too_many_is_refused(count: int, data: Any) -> None:
    right = issuers(count)
    wrong = data.draw(
        st.one_of(
            st.permutations(right).map(tuple),
            st.integers(0, count - 1).map(lambda at: right[:at] + right[at + 1 :]),
            st.integers(0, count).map(lambda at: (*right[:at], root(9), *right[at:])),
        )
    )
    if wrong == right:
        check_chain(below(count), *right)
        return
    refused = refusal(check_chain, below(count), *wrong)
    assert refused.value.startswith("ca.chain: ")
    assert "nearest to the server first" in refused.remedy


@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from((*ADDRESSES, "192.0.2.7"))))
def test_a_certificate_is_taken_where_it_covers_every_name_and_address_and_only_there(
    names: set[str], addresses: set[str]
) -> None:
    leaf = covering(tuple(sorted(names)), tuple(sorted(addresses)))
    missing = [*(name for name in NAMES if name not in names), *(each for each in ADDRESSES if each not in addresses)]
    if not missing:
        check_chain(leaf)
        return
    refused = refusal(check_chain, leaf)
    assert f"hold {', '.join(missing)}, too" in refused.rule
    assert "have it signed again with these names" in refused.remedy


@cache
def covering(names: Sequence[str], addresses: Sequence[str]) -> x509.Certificate:
    return server(names=names, addresses=addresses)


@pytest.mark.parametrize("name", ["*.example", "SUPERLINK.example.org", "superlink"])
def test_a_wildcard_or_a_similar_name_covers_nothing(name: str) -> None:
    assert "superlink.example" in refusal(check_chain, server(names=(name, "localhost"))).rule


def test_names_are_compared_without_regard_to_capitals() -> None:
    check_chain(server(names=("SuperLink.Example", "LOCALHOST")))


def test_an_address_that_stands_among_the_names_is_no_address() -> None:
    leaf = server(names=(*NAMES, *ADDRESSES), addresses=())
    assert ADDRESSES[0] in refusal(check_chain, leaf).rule


@given(st.integers(60, 200 * 86_400), st.integers(0, 40 * 86_400))
def test_a_servers_certificate_lives_between_a_day_and_ninety_days_and_is_valid_now(span: int, age: int) -> None:
    begin = NOW - timedelta(seconds=age)
    leaf = living(begin, begin + timedelta(seconds=span))
    if DAY <= timedelta(seconds=span) <= MAX_LEAF_VALIDITY and age < span:
        check_chain(leaf)
    else:
        refused = refusal(check_chain, leaf)
        assert refused.value.startswith("ca.serverCertificate: CN=Flower SuperLink, valid")
        assert "have it signed again" in refused.remedy


def living(begin: Any, end: Any) -> x509.Certificate:
    return server(begin=begin, end=end)


@pytest.mark.parametrize(
    ("begin", "end", "rule"),
    [
        (NOW - 91 * DAY + SECOND, NOW + SECOND, "at most 90 days"),
        (NOW - timedelta(hours=12), NOW + timedelta(hours=12) - SECOND, "at least 1 day"),
        (NOW - 80 * DAY, NOW, "it is valid now"),
        (NOW + SECOND, NOW + 80 * DAY, "it is valid now"),
    ],
    ids=["too long", "too short", "ended this second", "not begun"],
)
def test_limits_of_a_life_are_kept_to_the_second(begin: Any, end: Any, rule: str) -> None:
    assert rule in refusal(check_chain, living(begin, end)).rule


def test_a_life_at_its_limits_is_taken() -> None:
    check_chain(living(NOW - 45 * DAY, NOW + 45 * DAY))
    check_chain(living(NOW - DAY + SECOND, NOW + SECOND))


def test_a_certificate_that_outlives_its_root_is_refused() -> None:
    short = root(end=NOW + 10 * DAY)
    refused = refusal(check_server_chain, (server(),), short, identities=IDENTITIES, now=NOW)
    assert "it ends before its root" in refused.rule


def test_an_expired_certificate_in_the_middle_is_refused_by_name() -> None:
    old = issuer(0, name="root", key=ec_key(1), begin=NOW - 9 * DAY, end=NOW - DAY)
    assert refusal(check_chain, below(1), old).value.startswith("ca.chain: CN=issuer 0, valid from")


@pytest.mark.parametrize(
    "wish",
    [
        {"purposes": (ExtendedKeyUsageOID.CLIENT_AUTH,)},
        {"purposes": (ExtendedKeyUsageOID.CODE_SIGNING,)},
        {"usage": key_usage("key_encipherment")},
        {"ca": True},
    ],
    ids=["client", "code", "no signature", "a CA"],
)
def test_a_certificate_for_another_use_is_no_servers(wish: dict[str, Any]) -> None:
    refused = refusal(check_chain, server(**wish))
    assert "with the wrong usage" in refused.value
    assert "serverAuth" in refused.rule


@pytest.mark.parametrize("wish", [{"usage": None}, {"purposes": ()}, {"usage": None, "purposes": ()}])
def test_a_certificate_without_usages_may_be_used_for_everything(wish: dict[str, Any]) -> None:
    check_chain(server(**wish))


@pytest.mark.parametrize(
    "changes",
    [{"ca": False}, {"usage": key_usage("digital_signature")}, {"usage": key_usage("crl_sign")}],
    ids=["no CA", "signs data", "signs lists"],
)
def test_an_issuer_that_may_not_sign_is_refused(changes: dict[str, Any]) -> None:
    refused = refusal(check_chain, below(1), issuer(0, name="root", key=ec_key(1), **changes))
    assert refused.value == "ca.chain: CN=issuer 0, which may not sign this chain"


def test_a_path_length_that_leaves_no_room_is_refused() -> None:
    check_chain(below(2), issuers(2)[0], issuer(1, name="root", key=ec_key(1), path_length=1))
    refused = refusal(check_chain, below(2), issuers(2)[0], issuer(1, name="root", key=ec_key(1), path_length=0))
    assert "room for the certificates below it" in refused.rule


def handshake(chain: Sequence[x509.Certificate], trusted: x509.Certificate, host: str, folder: Path) -> None:
    """A TLS handshake in memory, as a client with Python 3.13 or later verifies it; raises where it fails."""
    (folder / "chain.pem").write_text("".join(pem(each) for each in chain))
    (folder / "key.pem").write_text(key_pem(ec_key(2)))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    context = ssl.create_default_context(cadata=pem(trusted))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        context.wrap_bio(to_client, to_server, server_hostname=host),
        served.wrap_bio(to_server, to_client, server_side=True),
    ]
    while sides:
        for side in list(sides):
            try:
                side.do_handshake()
                sides.remove(side)
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("host", [*NAMES, *ADDRESSES])
def test_what_is_taken_passes_a_strict_handshake_under_every_name(count: int, host: str, tmp_path: Path) -> None:
    now, issuers_now = datetime.now(UTC), issuers(count)
    leaf = below(count, begin=now - DAY, end=now + 9 * DAY)
    check_server_chain((leaf, *issuers_now), root(end=FAR + DAY), identities=IDENTITIES, now=now)

    handshake((leaf, *issuers_now), root(end=FAR + DAY), host, tmp_path)


@pytest.mark.parametrize(
    ("count", "leaf", "first", "said"),
    [
        (0, {"without": (x509.AuthorityKeyIdentifier,)}, None, "CN=Flower SuperLink has no authority key identifier"),
        (1, {}, {"without": (x509.AuthorityKeyIdentifier,)}, "CN=issuer 0 has no authority key identifier"),
        (1, {}, {"without": (x509.SubjectKeyIdentifier,)}, "CN=issuer 0 has no subject key identifier"),
    ],
)
def test_a_chain_without_key_identifiers_is_refused_because_strict_clients_refuse_it(
    count: int, leaf: dict[str, Any], first: dict[str, Any] | None, said: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    chain = [below(count, begin=now - DAY, end=now + 9 * DAY, **leaf)]
    if first is not None:
        chain.append(issuer(0, name="root", key=ec_key(1), **first))

    refused = refusal(check_server_chain, chain, root(end=FAR + DAY), identities=IDENTITIES, now=now)
    assert said in refused.value
    with pytest.raises(ssl.SSLCertVerificationError, match="Key Identifier"):
        handshake(chain, root(end=FAR + DAY), "localhost", tmp_path)


@pytest.mark.parametrize(
    ("key", "good"),
    [
        (ec.derive_private_key(5, ec.SECP256R1()), True),
        (rsa.generate_private_key(65537, 2048), True),
        (ec.derive_private_key(5, ec.SECP521R1()), False),
        (rsa.generate_private_key(65537, 1024), False),
    ],
    ids=["P-256", "RSA 2048", "P-521", "RSA 1024"],
)
def test_keys_that_flower_was_seen_to_serve_with_are_taken_and_no_others(key: Any, good: bool) -> None:
    if good:
        check_chain(server(key=key))
    else:
        assert "its key is ECDSA on P-256 or P-384" in refusal(check_chain, server(key=key)).rule


def test_the_root_is_a_ca_that_signed_itself_and_is_valid() -> None:
    check_authority(root(), now=NOW)
    for wrong, rule in (
        (issuers(1)[0], "it is a root"),
        (root(ca=False), "CA:TRUE"),
        (root(usage=key_usage("digital_signature")), "keyCertSign"),
        (root(end=NOW), "it is valid now"),
    ):
        refused = refusal(check_authority, wrong, now=NOW)
        assert refused.value.startswith("ca.certificate: ")
        assert rule in refused.rule


def test_a_key_of_another_certificate_is_refused_and_not_shown() -> None:
    where = {"where": "serverKey", "certificate_where": "ca.serverCertificate"}
    check_key(server(), key_pem(ec_key(2)), **where)
    for wrong in (key_pem(ec_key(3)), "garbage", ""):
        refused = refusal(check_key, server(), wrong, **where)
        assert refused.value == f"serverKey: {len(wrong)} characters (not shown)"
        assert "pulumi config set --secret serverKey" in refused.remedy
        assert not wrong or wrong not in str(refused)


def test_only_a_certificate_for_bundles_and_nothing_else_signs_them() -> None:
    check_signer(signer(), root(), name=SIGNER_NAME, now=NOW)
    both = (ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.SERVER_AUTH)
    for wrong in (
        server(),
        signer(name="somebody"),
        signer(purposes=both),
        signer(purposes=()),
        signer(9),
        signer(key=rsa.generate_private_key(65537, 2048)),
        signer(end=NOW),
    ):
        assert refusal(check_signer, wrong, root(), name=SIGNER_NAME, now=NOW).value.startswith("ca.bundleCertificate")


def test_a_file_holds_certificates_and_never_a_key() -> None:
    leaf = server()
    two = pem(root()) + pem(leaf)
    assert read_chain(two, where="ca.chain") == (root(), leaf)
    for text in ("", "hello", two + key_pem(ec_key(1))):
        refused = refusal(read_chain, text, where="ca.chain")
        assert refused.value.startswith(f"ca.chain: {len(text)} characters")
        assert key_pem(ec_key(1)) not in str(refused)
    assert "holds 1 certificate" in refusal(read_chain, two, where="ca.certificate", most=1).rule
