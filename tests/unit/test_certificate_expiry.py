"""How many days a federation's certificates have left, as `federation status` tells."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes

from components.pki_rules import EXPIRY_WARNING
from flower_federation.certificate_expiry import WARN_WITHIN_DAYS, certificate_ends
from flower_federation.operations import FederationStatus, StackStatus
from flower_federation.operations_cli import certificates_table, status_document
from flower_federation.stacks import StackFile
from tests.join_support import NOW, pem, root, server, signer

DAY = timedelta(days=1)


def outputs(**changes: Any) -> dict[str, Any]:
    return {
        "server_certificate": pem(server(end=NOW + 60 * DAY)),
        "ca_certificate": pem(root()),
        "bundle_certificate": pem(signer(end=NOW + 20 * DAY)),
        **changes,
    }


def test_every_certificate_of_the_centre_is_told_the_nearest_end_first() -> None:
    found = certificate_ends(outputs(), now=NOW)

    assert [(end.certificate, end.days_left) for end in found] == [("bundle", 20), ("server", 60), ("ca", 1000)]
    assert found[2].sha256 == root().fingerprint(hashes.SHA256()).hex()
    assert found[0].document() == {
        "certificate": "bundle",
        "sha256": found[0].sha256,
        "expires_at": "2026-12-14T12:00:00Z",
        "days_left": 20,
    }


def test_days_are_whole_and_negative_after_the_end() -> None:
    def left(moment: timedelta) -> int:
        return certificate_ends(outputs(), now=NOW + moment)[0].days_left

    assert [left(19 * DAY + timedelta(seconds=1)), left(20 * DAY), left(20 * DAY + timedelta(seconds=1))] == [0, 0, -1]


def test_during_a_rollover_both_cas_are_told_and_a_chain_by_its_name() -> None:
    found = certificate_ends(
        outputs(
            ca_certificate=pem(root()) + pem(root(9, end=NOW + 5 * DAY)),
            server_certificate=pem(server(end=NOW + 60 * DAY)) + pem(root(8, end=NOW + 70 * DAY)),
        ),
        now=NOW,
    )

    assert [(end.certificate, end.days_left) for end in found] == [
        *(("ca", 5), ("bundle", 20), ("server", 60), ("chain", 70), ("ca", 1000))
    ]


def test_a_centre_that_is_down_tells_none() -> None:
    assert certificate_ends(None, now=NOW) == certificate_ends({}, now=NOW) == ()


def test_the_status_tells_them_as_json_and_marks_those_that_are_due_in_its_table() -> None:
    central = StackFile(name="c", kind="central", zone="madrid", central=None)
    zone = StackFile(name="z", kind="zone", zone="berlin", central="c")
    stacks = (StackStatus(stack=zone, outputs={"nodes": []}), StackStatus(stack=central, outputs=outputs()))
    status = FederationStatus(stacks=stacks, nodes={}, trouble=None)

    told = status_document(status, now=NOW)["certificates"]
    assert [(each["certificate"], each["days_left"]) for each in told] == [("bundle", 20), ("server", 60), ("ca", 1000)]
    cells = [list(column.cells) for column in certificates_table(status, now=NOW).columns]
    assert list(zip(cells[0], cells[3], strict=True)) == [
        ("bundle", "20, due for renewal"),
        ("server", "60"),
        ("ca", "1000"),
    ]


def test_a_status_marks_what_a_preview_warns_of() -> None:
    assert timedelta(days=WARN_WITHIN_DAYS) == EXPIRY_WARNING
