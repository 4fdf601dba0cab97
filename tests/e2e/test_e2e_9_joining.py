"""Three organisations, each with a clone, a backend and a passphrase of its own; two files and two calls join them.

The centre's certificates come from a CA of its own, whose key none of the clones ever sees: root, issuing CA and the
server's certificate are made here, as a hospital's CA would. What the zones' operators would hear by telephone is what
the commands printed.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from components import join_bundle
from components.exchange_files import in_groups
from components.join_bundle import SIGNER_NAME
from flower_federation.rotation import served_certificate
from tests.e2e.evidence import contexts, found_in, key_secret, marker, public_evidence, text_secret, vm_keys
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import BERLIN, CENTRAL, DEMO_NETWORKS, PARIS, Ended, Measured, Project, Timing, free_networks
from tests.join_support import CODE_SIGNING, Wish, issue, key_pem, key_usage, pem

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow, pytest.mark.timeout(300)]

NODES = {"berlin/supernode-0", "paris/supernode-0"}
ZONES = {"berlin": BERLIN, "paris": PARIS}


@dataclass(frozen=True, kw_only=True)
class ForeignAuthority:
    """A CA outside of the federation: a root, an issuing CA below it, and what the two signed."""

    root_key: ec.EllipticCurvePrivateKey
    issuing_key: ec.EllipticCurvePrivateKey
    server_key: ec.EllipticCurvePrivateKey
    bundle_key: ec.EllipticCurvePrivateKey
    root: x509.Certificate
    issuing: x509.Certificate
    bundle: x509.Certificate

    @classmethod
    def make(cls) -> ForeignAuthority:
        """Fresh keys, and certificates that are valid now."""
        root_key, issuing_key, server_key, bundle_key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(4))
        now = datetime.now(UTC)
        old = now - timedelta(days=40)
        authority = {"ca": True, "usage": key_usage("key_cert_sign", "crl_sign"), "purposes": ()}
        life = {"begin": old, "end": now + timedelta(days=1000)}
        root = issue(
            Wish(name="Hospital Root CA", key=root_key, **authority, **life),
            issuer="Hospital Root CA",
            issuer_key=root_key,
        )
        issuing = issue(
            Wish(name="Hospital Issuing CA", key=issuing_key, path_length=0, **authority, **life),
            issuer="Hospital Root CA",
            issuer_key=root_key,
        )
        bundle = issue(
            Wish(name=SIGNER_NAME, key=bundle_key, purposes=CODE_SIGNING, begin=old, end=now + timedelta(days=50)),
            issuer="Hospital Root CA",
            issuer_key=root_key,
        )
        return cls(
            root_key=root_key,
            issuing_key=issuing_key,
            server_key=server_key,
            bundle_key=bundle_key,
            root=root,
            issuing=issuing,
            bundle=bundle,
        )

    def server(self, *addresses: str) -> x509.Certificate:
        """A server's certificate by the issuing CA, for loopback and these addresses."""
        now = datetime.now(UTC)
        wish = Wish(
            key=self.server_key,
            begin=now - timedelta(minutes=5),
            end=now + timedelta(days=60),
            names=("localhost",),
            addresses=("127.0.0.1", *addresses),
        )
        return issue(wish, issuer="Hospital Issuing CA", issuer_key=self.issuing_key)


@dataclass(frozen=True, kw_only=True)
class Organisations:
    """Who takes part."""

    centre: Project
    zones: Mapping[str, Project]
    authority: ForeignAuthority
    address: str
    """The SuperLink's."""

    @property
    def all(self) -> tuple[Project, ...]:
        """Each with a folder of its own."""
        return (self.centre, *self.zones.values())

    @property
    def fingerprint(self) -> str:
        """Of the CA, as its owner knows it without looking at any stack."""
        return self.authority.root.fingerprint(hashes.SHA256()).hex()

    def preview(self, zone: str) -> str:
        """What a zone's preview says in refusing."""
        ended = self.zones[zone].pulumi("preview", "--suppress-progress", stack=ZONES[zone])
        assert ended.returncode != 0, ended.text
        return " ".join(ended.text.split())


@pytest.fixture(scope="module")
def organisations(tmp_path_factory: pytest.TempPathFactory, timings: list[Timing]) -> Iterator[Organisations]:
    networks = dict(zip(DEMO_NETWORKS, free_networks(len(DEMO_NETWORKS)), strict=True))

    def project(stack: str) -> Project:
        folder = tmp_path_factory.mktemp(stack)
        return Project(folder=folder, timings=timings, own_passphrases=True, stacks=(stack,), networks=networks)

    made = Organisations(
        centre=project(CENTRAL),
        zones={zone: project(stack) for zone, stack in ZONES.items()},
        authority=ForeignAuthority.make(),
        address=f"127.{networks['madrid']}.1.10",
    )
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(begin, made.all))
        own_ca(made)
        yield made
    finally:
        for each in made.all:
            each.close()


def begin(project: Project) -> None:
    """A clone with its zone and its empty stack; zones bring one node each."""
    project.prepare()
    project.start_zones()
    (stack,) = project.stacks
    if stack != CENTRAL:
        project.set_supernodes(stack, 1)
    if stack == BERLIN:
        host = "    hosts: [{name: mirror, address: 192.0.2.7, port: 443}]\n"
        edit(project, r"(?m)^config:\n", f"config:\n  flower-federation:egress:\n{host}")
    project.init_stack(stack)


def edit(project: Project, old: str, new: str) -> None:
    """Change the stack's file, as its operator does."""
    (stack,) = project.stacks
    text, changed = re.subn(old, new, project.stack_file(stack).read_text())
    assert changed, old
    project.stack_file(stack).write_text(text)


def own_ca(organisations: Organisations) -> None:
    """Settings of the centre: certificates of its own CA, and zones that answer by a file."""
    centre, authority = organisations.centre, organisations.authority
    (centre.folder / "ca").mkdir()
    files = {"certificate": authority.root, "chain": authority.issuing, "bundleCertificate": authority.bundle}
    for name, certificate in files.items():
        (centre.folder / "ca" / f"{name}.pem").write_text(pem(certificate))
    lines = [f"    {name}: ca/{name}.pem\n" for name in (*files, "serverCertificate")]
    edit(centre, r"(?m)^config:\n", "config:\n  flower-federation:ca:\n" + "".join(lines))
    edit(centre, r"      stack: \S+\n", "")
    centre.set_secret("serverKey", key_pem(authority.server_key), stack=CENTRAL)
    centre.set_secret("bundleKey", key_pem(authority.bundle_key), stack=CENTRAL)


def invite(organisations: Organisations, zone: str) -> Path:
    """A bundle from the centre, put into the zone's folder as if it had come by mail; what was told by telephone."""
    file = organisations.centre.folder / f"{zone}.join.json"
    told = organisations.centre.federation("invite", zone, "--output", str(file), stack=CENTRAL)
    assert told.returncode == 0, told.text
    assert in_groups(organisations.fingerprint) in told.text
    received = organisations.zones[zone].folder / f"{zone}.join.json"
    received.write_bytes(file.read_bytes())
    return received


def join(organisations: Organisations, zone: str) -> tuple[str, str]:
    """A zone comes up and answers; what `pulumi up` said, and the answer's fingerprint as its operator reads it."""
    project = organisations.zones[zone]
    said = project.up(ZONES[zone])
    file = project.folder / f"{zone}.answer.json"
    written = project.federation("answer", zone, "--json", "--output", str(file), stack=ZONES[zone])
    assert written.returncode == 0, written.text
    (organisations.centre.folder / f"{zone}.mail.json").write_bytes(file.read_bytes())
    return said, in_groups(json.loads(written.stdout)["fingerprint"])


def accept(organisations: Organisations, zone: str, *words: str) -> Ended:
    """What the centre's operator does with the answer that came by mail."""
    received = organisations.centre.folder / f"{zone}.mail.json"
    return organisations.centre.federation("accept", str(received), *words, stack=CENTRAL)


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


def spoken(organisations: Organisations) -> str:
    """The CA's fingerprint as it is read out."""
    return in_groups(organisations.fingerprint)


def pin(organisations: Organisations, zone: str, fingerprint: str) -> None:
    """What the zone's operator sets after the call."""
    text = organisations.zones[zone].stack_file(ZONES[zone]).read_text()
    bundle, old = f"    bundle: {zone}.join.json\n", r"(    caFingerprint: \S+\n)?"
    assert bundle in text
    edit(organisations.zones[zone], f"{bundle}{old}", f'{bundle}    caFingerprint: "{fingerprint}"\n')


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


def other_files(project: Project) -> Iterator[tuple[str, bytes]]:
    """What a clone holds of others: stack files, bundles, answers."""
    for path in (*project.folder.glob("*.json"), *project.folder.glob("*/*.json"), *project.folder.glob("stacks/*")):
        if path.is_file() and not path.is_symlink():
            yield str(path), path.read_bytes()


def test_no_private_key_is_in_state_logs_documents_answers_or_files_that_were_sent(
    organisations: Organisations, measured: Measured
) -> None:
    started = time.monotonic()
    authority = organisations.authority
    keys = {name: getattr(authority, name) for name in ("root_key", "issuing_key", "server_key", "bundle_key")}
    secrets = [marker(), *(key_secret(name, key_pem(key).encode()) for name, key in keys.items())]
    for project in organisations.all:
        secrets += [key_secret(str(path.relative_to(project.folder)), path.read_bytes()) for path in vm_keys(project)]
    (superlink,) = ZoneView(organisations.centre.zones["madrid"]).vms()
    own_context = f"OneGate of madrid, VM {superlink}, /service?extended=true"
    evidence = [
        (where, content)
        for project in organisations.all
        for where, content in (*public_evidence(project), *other_files(project))
        if where != own_context
    ]

    told = {where: content for project in organisations.zones.values() for where, content in contexts(project)}

    assert len(evidence) > 50
    assert sum("CONTEXT on the disk" in where for where in told) == 2
    assert {where for where, content in told.items() if found_in(content, secrets)} == set(), "public facts only"
    assert {where: found for where, content in evidence if (found := found_in(content, secrets))} == {}
    # The key of a certificate that comes with an own CA goes to its VM, and only it: docs/security/threat-model.md.
    of_the_centre = [secret for secret in secrets if secret.name in ("root_key", "issuing_key", "bundle_key")]
    for where, content in contexts(organisations.centre):
        assert found_in(content, of_the_centre) == set(), where
    measured(f"search of {len(evidence)} places for {len(secrets)} private keys", time.monotonic() - started)


def test_the_key_of_the_ca_was_given_to_nobody(organisations: Organisations) -> None:
    authority = organisations.authority
    secrets = [
        key_secret(name, key_pem(key).encode())
        for name, key in (("root", authority.root_key), ("issuing", authority.issuing_key))
    ]
    shown = organisations.centre.succeed(
        organisations.centre.layout.bin / "pulumi",
        *("stack", "export", "--show-secrets", "-s", CENTRAL),
        stack=CENTRAL,
        keep=False,
    )
    files = [path for path in organisations.centre.folder.rglob("*") if path.is_file() and not path.is_symlink()]

    assert "serverKey" in organisations.centre.stack_file(CENTRAL).read_text()
    assert found_in(shown.encode(), secrets) == set()
    assert [path for path in files if found_in(path.read_bytes(), secrets)] == []
