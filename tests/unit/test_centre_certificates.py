"""What a centre's certificates mean for its next update: each end by itself, and what is said of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from components.centre_certificates import CentreCertificate, centre_certificates, judge
from components.errors import RefusalError
from tests.join_support import NOW, pem, root, server, signer

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def certificates(**changes: Any) -> tuple[CentreCertificate, ...]:
    outputs = {
        "ca_certificate": pem(root()),
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
    (said,) = judge(certificates(ca_certificate=pem(root(end=NOW + 30 * DAY))), now=NOW, renews=False)
    assert said.startswith("CA certificate of the federation demo: expires at 2026-12-24T12:00:00+00:00, in 30 days. ")
    assert said.endswith(
        "federation rotate ca --renew does so at once, and tells every zone whose stack is in this backend."
    )


@pytest.mark.parametrize(
    ("ended", "what", "command"),
    [
        ({"ca_certificate": pem(root(end=NOW))}, "CA certificate of the federation demo", "ca --renew"),
        (
            {"ca_certificate": pem(root()) + pem(root(9, end=NOW))},
            "CA certificate of the federation demo",
            "ca --renew",
        ),
        ({"server_certificate": pem(server(end=NOW))}, "server certificate of the SuperLink", "server-certificate"),
        ({"bundle_certificate": pem(signer(end=NOW))}, "certificate for join bundles", "server-certificate"),
        (
            {"ca_certificate": pem(root(end=NOW)), "server_certificate": pem(server(end=NOW))},
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
