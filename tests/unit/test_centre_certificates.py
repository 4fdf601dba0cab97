"""What a centre's certificates mean for its next update: each end by itself, and what is said of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from components.authorities import AUTHORITY_NAME, made_by_stack
from components.centre_certificates import CentreCertificate, centre_certificates, is_moving, judge
from components.errors import RefusalError
from tests.join_support import NOW, pem, root, server, signer

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def authority(number: int = 1, **wish: Any) -> x509.Certificate:
    """A CA with the name of one that a stack makes."""
    return root(number, name=AUTHORITY_NAME, **wish)


def certificates(**changes: Any) -> tuple[CentreCertificate, ...]:
    outputs = {
        "ca_certificate": pem(authority()),
        "server_certificate": pem(server(end=NOW + 60 * DAY)),
        "bundle_certificate": pem(signer(end=NOW + 60 * DAY)),
        "federation": "demo",
        **changes,
    }
    return centre_certificates(outputs, federation="demo", server_early=10 * DAY, ca_early=90 * DAY)


def test_a_centre_that_was_never_up_has_no_certificate_and_nothing_is_said() -> None:
    assert centre_certificates({}, federation="demo", server_early=DAY, ca_early=DAY) == ()
    assert judge((), now=NOW, renews=False) == ()


def test_a_warning_says_how_long_from_when_on_it_is_replaced_and_what_replaces_it_now() -> None:
    found = judge(certificates(server_certificate=pem(server(end=NOW + 20 * DAY))), now=NOW, renews=False)
    assert found == (
        "server certificate of the SuperLink: expires at 2026-12-14T12:00:00+00:00, in 20 days. pulumi up replaces it "
        "from 2026-12-04T12:00:00+00:00 on; federation rotate server-certificate does so at once.",
    )


def test_one_that_is_due_is_replaced_by_the_next_update() -> None:
    (said,) = judge(certificates(server_certificate=pem(server(end=NOW + 10 * DAY))), now=NOW, renews=False)
    assert "in 10 days. pulumi up replaces it; " in said


def test_the_ca_is_told_with_the_command_that_also_tells_the_zones() -> None:
    (said,) = judge(certificates(ca_certificate=pem(authority(end=NOW + 30 * DAY))), now=NOW, renews=False)
    assert said.startswith("CA certificate of the federation demo: expires at 2026-12-24T12:00:00+00:00, in 30 days. ")
    assert said.endswith(
        "federation rotate ca --renew does so at once, and tells every zone whose stack is in this backend."
    )


@pytest.mark.parametrize(
    ("ended", "what", "command"),
    [
        ({"ca_certificate": pem(authority(end=NOW))}, "CA certificate of the federation demo", "ca --renew"),
        (
            {"ca_certificate": pem(authority()) + pem(authority(9, end=NOW))},
            "CA certificate of the federation demo",
            "ca --renew",
        ),
        ({"server_certificate": pem(server(end=NOW))}, "server certificate of the SuperLink", "server-certificate"),
        ({"bundle_certificate": pem(signer(end=NOW))}, "certificate for join bundles", "server-certificate"),
        (
            {"ca_certificate": pem(authority(end=NOW)), "server_certificate": pem(server(end=NOW))},
            "CA certificate of the federation demo",
            "ca --renew",
        ),
    ],
    ids=[
        "the CA",
        "one CA of two",
        "the server's",
        "the signer of bundles",
        "CA and server's: the CA's command does both",
    ],
)
def test_an_update_about_something_else_is_refused_from_the_end_on_with_one_command(
    ended: dict[str, str], what: str, command: str
) -> None:
    found = certificates(**ended)
    with pytest.raises(RefusalError) as refusal:
        judge(found, now=NOW, renews=False)
    assert refusal.value.value == f"{what}: expired at {NOW.isoformat()}"
    assert refusal.value.remedy.startswith(f"run federation rotate {command}, which makes it anew")
    assert len(judge(found, now=NOW - SECOND, renews=False)) == len(ended), "a second before it is a warning"


def test_a_renewal_goes_on_whatever_has_ended() -> None:
    found = judge(certificates(server_certificate=pem(server(end=NOW - DAY))), now=NOW, renews=True)
    assert found == (
        "server certificate of the SuperLink: expired at 2026-11-23T12:00:00+00:00. This update renews it.",
    )


@pytest.mark.parametrize(
    "ended",
    [
        {"ca_certificate": pem(root(end=NOW))},
        {"ca_certificate": pem(root()), "server_certificate": pem(server(end=NOW))},
        {"ca_certificate": pem(root()), "bundle_certificate": pem(signer(end=NOW))},
    ],
    ids=["its CA", "its server's", "its signer of bundles"],
)
def test_what_has_ended_of_an_operators_own_ca_is_replaced_by_the_command_that_tells_the_zones(
    ended: dict[str, str],
) -> None:
    """The stack makes certificates again: no node trusts the CA that signs them before its zone is told."""
    with pytest.raises(RefusalError) as refusal:
        judge(certificates(**ended), now=NOW, renews=False)
    assert refusal.value.remedy.startswith(
        "run federation rotate ca --renew, which makes it anew, and tells every zone"
    )
    assert len(judge(certificates(**ended), now=NOW, renews=True)) == 1


def test_a_centre_moves_where_one_of_its_cas_is_none_that_its_stack_made() -> None:
    assert not is_moving({})
    for mine in (authority(), root(name=f"{AUTHORITY_NAME} 2")):
        assert made_by_stack(pem(mine))
        assert not is_moving({"ca_certificate": pem(mine)})
        assert is_moving({"ca_certificate": pem(mine) + pem(root(9))})
    for other in ("root", f"{AUTHORITY_NAME} of Hospital", f"My {AUTHORITY_NAME}"):
        assert is_moving({"ca_certificate": pem(root(name=other))})
