"""Three organisations, each with a clone, a backend and a passphrase of its own; two files and two calls join them.

The centre's certificates come from a CA of its own (`organisations.py`); what becomes of them later is in
`test_e2e_9_joining_own_ca.py`, on the same federation.
"""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes

from components import join_bundle
from components.exchange_files import in_groups
from flower_federation.rotation import served_certificate
from tests.e2e.evidence import found_in, marker, text_secret
from tests.e2e.organisations import NODES, ZONES, Organisations, accept, edit, invite, join, other_files, pin, spoken
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import CENTRAL, Measured, Project
from tests.join_support import key_pem, pem

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.trust,
    pytest.mark.engine,
    pytest.mark.flower,
    pytest.mark.slow,
]


def test_a_centre_whose_own_certificate_lacks_the_superlinks_address_is_refused_at_preview(
    organisations: Organisations,
) -> None:
    centre = organisations.centre
    (centre.folder / "ca" / "serverCertificate.pem").write_text(pem(organisations.authority.server()))

    ended = centre.pulumi("preview", "--suppress-progress", stack=CENTRAL)

    said = " ".join(ended.text.split())
    assert ended.returncode != 0
    assert f"subject alternative names hold {organisations.address}, too" in said
    assert "have it signed again with these names" in said


def test_a_centre_serves_certificates_of_a_ca_whose_key_it_never_had_and_invites_with_it(
    organisations: Organisations,
) -> None:
    centre, authority = organisations.centre, organisations.authority
    server = authority.server(organisations.address)
    (centre.folder / "ca" / "serverCertificate.pem").write_text(pem(server))

    centre.up(CENTRAL)

    outputs = centre.stack_outputs(CENTRAL)
    assert outputs["ca_fingerprint"] == organisations.fingerprint
    served = served_certificate(outputs["superlink_fleet_endpoint"], pem(authority.root))
    assert served == server.fingerprint(hashes.SHA256()).hex()
    for zone in ZONES:
        assert join_bundle.read(invite(organisations, zone).read_text()).facts.zone == zone


def test_a_zone_without_a_pin_is_told_at_preview_what_to_compare_by_telephone(organisations: Organisations) -> None:
    edit(organisations.zones["berlin"], "    stack: madrid-central\n", "    bundle: berlin.join.json\n")

    said = organisations.preview("berlin")

    assert f"central.caFingerprint: not set, and join bundle berlin.join.json says {spoken(organisations)}" in said
    assert "telephone the centre's operator, let them read the fingerprint out" in said
    assert "set central.caFingerprint" in said


def test_a_bundle_of_another_ca_than_the_one_that_was_told_is_refused_at_preview(organisations: Organisations) -> None:
    pin(organisations, "berlin", "ab" * 32)

    said = organisations.preview("berlin")

    assert f"central.caFingerprint: {in_groups('ab' * 32)}" in said
    assert f"but its CA is {spoken(organisations)}" in said
    assert "do not use this bundle; telephone the centre's operator" in said


def test_a_bundle_that_was_changed_on_its_way_is_refused_at_preview(organisations: Organisations) -> None:
    pin(organisations, "berlin", organisations.fingerprint)
    file = organisations.zones["berlin"].folder / "berlin.join.json"
    sent = file.read_text()
    file.write_text(sent.replace(f'"{organisations.address}:9092"', '"127.66.6.6:9092"'))
    assert file.read_text() != sent

    said = organisations.preview("berlin")
    file.write_text(sent)

    assert "join bundle berlin.join.json: its signature does not fit what it says" in said
    assert "do not use it; ask the centre's operator for the bundle again, by another way" in said


def test_a_bundle_that_has_expired_is_refused_at_preview(organisations: Organisations) -> None:
    file, authority = organisations.zones["berlin"].folder / "berlin.join.json", organisations.authority
    sent = file.read_text()
    said_then = json.loads(sent)["facts"]
    names = ("federation", "superlink_fleet_endpoint", "ca_certificate", "ca_fingerprint", "flower_version")
    old = join_bundle.make_facts(
        outputs={name: said_then[name] for name in names},
        zone="berlin",
        now=datetime.now(UTC) - timedelta(days=2),
        validity=timedelta(days=1),
        signer_pem=pem(authority.bundle),
    )
    file.write_text(join_bundle.sign(old, signer_pem=pem(authority.bundle), key_pem=key_pem(authority.bundle_key)))

    said = organisations.preview("berlin")
    file.write_text(sent)

    assert f"join bundle berlin.join.json: expired at {old.expires_at}" in said
    assert "ask the centre's operator for a new bundle: federation invite berlin" in said


def test_two_zones_join_by_files_and_their_nodes_train(organisations: Organisations, measured: Measured) -> None:
    started = time.monotonic()
    edit(organisations.zones["paris"], "    stack: madrid-central\n", "    bundle: paris.join.json\n")
    pin(organisations, "paris", organisations.fingerprint)
    with ThreadPoolExecutor() as pool:
        joined = dict(zip(ZONES, pool.map(lambda zone: join(organisations, zone), ZONES), strict=True))
    centre = organisations.centre
    unasked = accept(organisations, "berlin")
    assert unasked.returncode == 2, unasked.text
    assert "telephone the zone's operator" in " ".join(unasked.text.split())
    for zone, (said, told) in joined.items():
        assert spoken(organisations) in " ".join(said.split())
        accepted = accept(organisations, zone, "--fingerprint", told)
        assert accepted.returncode == 0, accepted.text

    up = centre.federation("up", CENTRAL, "--json", stack=CENTRAL)
    assert up.returncode == 0, up.text

    assert set(json.loads(up.stdout)["nodes"]) == NODES, "registered, and online"
    measured("two zones join by files: from their pins to both online", time.monotonic() - started)
    assert up.text.count(f"{CENTRAL}: up") == 1, "an answer that was accepted is no reason for a second time"
    result = centre.train(rounds=1, nodes=2)
    assert result["status"] == "finished:completed"
    assert [each["nodes"] for each in result["rounds"]] == [2]


def test_status_and_the_superlinks_metric_tell_the_same_ends_of_all_certificates(organisations: Organisations) -> None:
    centre, authority = organisations.centre, organisations.authority
    ended = centre.federation("status", "--json", stack=CENTRAL)
    assert ended.returncode == 0, ended.text
    status = json.loads(ended.stdout)
    told = {each["sha256"]: each for each in status["certificates"]}
    madrid = ZoneView(centre.zones["madrid"])
    (superlink,) = madrid.vms()
    text = (madrid.guest(superlink) / "var/lib/flower/metrics/certificates.prom").read_text()
    measured = re.findall(r'certificate="([\w-]+)",.*,sha256="(\w+)"} (\d+)', text)

    kinds = {(each["certificate"], each["days_left"]) for each in told.values()}
    assert kinds == {("bundle", 49), ("server", 59), ("chain", 999), ("ca", 999)}
    assert [kind for kind, _, _ in measured] == ["server", "chain", "ca", "control-ca"]
    for kind, sha256, seconds in measured[:3]:
        end = datetime.fromtimestamp(int(seconds), UTC)
        assert (told[sha256]["certificate"], told[sha256]["expires_at"]) == (kind, f"{end:%Y-%m-%dT%H:%M:%SZ}")
    assert told[organisations.fingerprint]["expires_at"] == f"{authority.root.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    assert {node["name"]: node["state"] for node in status["nodes"]} == dict.fromkeys(NODES, "online")


def test_security_groups_let_through_what_was_named_and_nothing_else(organisations: Organisations) -> None:
    """As each zone's OpenNebula has them; a rule without an address is about every address."""
    onegate, dns, ntp = ("OUTBOUND", "TCP", "5030", ""), ("53", ""), ("OUTBOUND", "UDP", "123", "")
    basics = {onegate, ("OUTBOUND", "UDP", *dns), ("OUTBOUND", "TCP", *dns), ntp}
    fleet = ("OUTBOUND", "TCP", "9092", f"{organisations.address}/1")
    second = {
        name: int(str(project.zones[name].address).split(".")[1]) for name, project in organisations.zones.items()
    }

    assert security_group(organisations.zones["paris"], "paris") == {*basics, fleet}
    assert security_group(organisations.zones["berlin"], "berlin") == {
        *basics,
        fleet,
        ("OUTBOUND", "TCP", "443", "192.0.2.7/1"),
    }
    assert security_group(organisations.centre, "madrid") == {
        *basics,
        *(("INBOUND", "TCP", "9092", f"127.{number}.1.0/256") for number in second.values()),
        ("INBOUND", "TCP", "9093", "127.0.0.0/16777216"),
    }


def security_group(project: Project, zone: str) -> set[tuple[str, ...]]:
    """Direction, protocol, ports and first address with the number of addresses, of each rule of a stack's group."""
    (group,) = (
        group
        for group in ZoneView(project.zones[zone]).pool("secgrouppool", -2, -1, -1)
        if group.findtext("NAME") == f"flower-{zone}"
    )
    rules = group.findall("TEMPLATE/RULE")
    found = {
        (
            *(str(rule.findtext(name)) for name in ("RULE_TYPE", "PROTOCOL", "RANGE")),
            f"{rule.findtext('IP')}/{rule.findtext('SIZE')}" if rule.find("IP") is not None else "",
        )
        for rule in rules
    }
    assert len(found) == len(rules)
    return found


def test_the_three_share_no_backend_no_passphrase_and_no_credential(organisations: Organisations) -> None:
    backends = [each.environment(each.stacks[0])["PULUMI_BACKEND_URL"] for each in organisations.all]
    assert len(set(backends)) == 3
    for project in organisations.all:
        listed = project.succeed(project.layout.bin / "pulumi", "stack", "ls", "--json", stack=project.stacks[0])
        assert [stack["name"] for stack in json.loads(listed)] == list(project.stacks)
    for owner in organisations.all:
        theirs = [marker(), text_secret("passphrase", owner.passphrase(owner.stacks[0]))]
        theirs += [text_secret("password", ZoneView(zone).password) for zone in owner.zones.values()]
        for other in organisations.all:
            if other is owner:
                continue
            own_path = str(owner.folder)
            for where, content in other_files(other):
                assert found_in(content, theirs) == set(), where
                assert own_path.encode() not in content, where
