"""Three organisations for end-to-end tests, each with a clone, a backend and a passphrase of its own.

The centre's certificates come from a CA of its own, whose key none of the clones ever sees: root, issuing CA and the
server's certificate are made here, as a hospital's CA would. What the zones' operators would hear by telephone is what
the commands printed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from components.exchange_files import in_groups
from components.join_bundle import SIGNER_NAME
from tests.e2e_support import BERLIN, CENTRAL, PARIS, Ended, Project
from tests.join_support import CODE_SIGNING, Wish, issue, key_pem, key_usage, pem

NODES = {"berlin/supernode-0", "paris/supernode-0"}
ZONES = {"berlin": BERLIN, "paris": PARIS}


@dataclass(frozen=True, kw_only=True)
class ForeignAuthority:
    """A CA outside of the federation: a root, an issuing CA below it, and what the two signed."""

    name: str
    root_key: ec.EllipticCurvePrivateKey
    issuing_key: ec.EllipticCurvePrivateKey
    server_key: ec.EllipticCurvePrivateKey
    bundle_key: ec.EllipticCurvePrivateKey
    root: x509.Certificate
    issuing: x509.Certificate
    bundle: x509.Certificate

    @classmethod
    def make(cls, name: str = "Hospital") -> ForeignAuthority:
        """Fresh keys, and certificates that are valid now."""
        root_key, issuing_key, server_key, bundle_key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(4))
        now = datetime.now(UTC)
        old = now - timedelta(days=40)
        authority = {"ca": True, "usage": key_usage("key_cert_sign", "crl_sign"), "purposes": ()}
        life = {"begin": old, "end": now + timedelta(days=1000)}
        root = issue(
            Wish(name=f"{name} Root CA", key=root_key, **authority, **life),
            issuer=f"{name} Root CA",
            issuer_key=root_key,
        )
        issuing = issue(
            Wish(name=f"{name} Issuing CA", key=issuing_key, path_length=0, **authority, **life),
            issuer=f"{name} Root CA",
            issuer_key=root_key,
        )
        bundle = issue(
            Wish(name=SIGNER_NAME, key=bundle_key, purposes=CODE_SIGNING, begin=old, end=now + timedelta(days=50)),
            issuer=f"{name} Root CA",
            issuer_key=root_key,
        )
        return cls(
            name=name,
            root_key=root_key,
            issuing_key=issuing_key,
            server_key=server_key,
            bundle_key=bundle_key,
            root=root,
            issuing=issuing,
            bundle=bundle,
        )

    def server(self, *addresses: str, days: int = 60) -> x509.Certificate:
        """A server's certificate by the issuing CA, for loopback and these addresses; it has so many days left."""
        now = datetime.now(UTC)
        wish = Wish(
            key=self.server_key,
            begin=now - timedelta(minutes=5),
            end=now + timedelta(days=days),
            names=("localhost",),
            addresses=("127.0.0.1", *addresses),
        )
        return issue(wish, issuer=f"{self.name} Issuing CA", issuer_key=self.issuing_key)


@dataclass(frozen=True, kw_only=True)
class Organisations:
    """Who takes part."""

    centre: Project
    zones: Mapping[str, Project]
    authority: ForeignAuthority
    address: str
    """The SuperLink's."""
    trusted: list[x509.Certificate]
    """Roots that the centre presents, as whoever reads its fingerprints out knows them."""
    closed: list[bool] = field(default_factory=list)

    @property
    def all(self) -> tuple[Project, ...]:
        """Each with a folder of its own."""
        return (self.centre, *self.zones.values())

    @property
    def fingerprint(self) -> str:
        """Of the CA, or of both, as its owner knows it without looking at any stack."""
        return " ".join(root.fingerprint(hashes.SHA256()).hex() for root in self.trusted)

    def close(self) -> None:
        """End all that runs of them, once; whatever comes later finds nothing to end."""
        for each in self.all:
            if not self.closed:
                each.close()
        self.closed.append(True)

    def preview(self, zone: str) -> str:
        """What a zone's preview says in refusing."""
        ended = self.zones[zone].pulumi("preview", "--suppress-progress", stack=ZONES[zone])
        assert ended.returncode != 0, ended.text
        return " ".join(ended.text.split())


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
    names = ("certificate", "chain", "bundleCertificate", "serverCertificate")
    bring(centre, certificate=[authority.root], chain=[authority.issuing], bundleCertificate=[authority.bundle])
    lines = [f"    {name}: ca/{name}.pem\n" for name in names]
    edit(centre, r"(?m)^config:\n", "config:\n  flower-federation:ca:\n" + "".join(lines))
    edit(centre, r"      stack: \S+\n", "")
    bring_keys(centre, authority)


def bring(centre: Project, **certificates: Sequence[x509.Certificate]) -> None:
    """Put certificates into the files that the centre's settings name."""
    for name, found in certificates.items():
        (centre.folder / "ca" / f"{name}.pem").write_text("".join(map(pem, found)))


def bring_keys(centre: Project, authority: ForeignAuthority) -> None:
    """Give the keys of server and bundles, as secrets of the centre's file."""
    centre.set_secret("serverKey", key_pem(authority.server_key), stack=CENTRAL)
    centre.set_secret("bundleKey", key_pem(authority.bundle_key), stack=CENTRAL)


def invite(organisations: Organisations, zone: str) -> Path:
    """A bundle from the centre, put into the zone's folder as if it had come by mail; what was told by telephone."""
    file = organisations.centre.folder / f"{zone}.join.json"
    file.unlink(missing_ok=True)
    told = organisations.centre.federation("invite", zone, "--output", str(file), stack=CENTRAL)
    assert told.returncode == 0, told.text
    assert " ".join(spoken(organisations).split()) in " ".join(told.text.split())
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


def spoken(organisations: Organisations) -> str:
    """The CA's fingerprint as it is read out."""
    return in_groups(organisations.fingerprint)


def pin(organisations: Organisations, zone: str, fingerprint: str) -> None:
    """What the zone's operator sets after the call."""
    text = organisations.zones[zone].stack_file(ZONES[zone]).read_text()
    bundle, old = f"    bundle: {zone}.join.json\n", r"(    caFingerprint: .*\n)?"
    assert bundle in text
    edit(organisations.zones[zone], f"{bundle}{old}", f'{bundle}    caFingerprint: "{fingerprint}"\n')


def come_together(organisations: Organisations) -> None:
    """Two zones with a node each, for tests that begin there; nothing is to be done where `test_e2e_9_joining` ran."""
    centre = organisations.centre
    if (centre.folder / "answers").is_dir():
        return
    bring(centre, serverCertificate=[organisations.authority.server(organisations.address)])
    centre.up(CENTRAL)
    for zone in ZONES:
        invite(organisations, zone)
        edit(organisations.zones[zone], "    stack: madrid-central\n", f"    bundle: {zone}.join.json\n")
        pin(organisations, zone, organisations.fingerprint)
        _, told = join(organisations, zone)
        accepted = accept(organisations, zone, "--fingerprint", told)
        assert accepted.returncode == 0, accepted.text
    up = centre.federation("up", CENTRAL, stack=CENTRAL)
    assert up.returncode == 0, up.text


def other_files(project: Project) -> Iterator[tuple[str, bytes]]:
    """What a clone holds of others: stack files, bundles, answers."""
    for path in (*project.folder.glob("*.json"), *project.folder.glob("*/*.json"), *project.folder.glob("stacks/*")):
        if path.is_file() and not path.is_symlink():
            yield str(path), path.read_bytes()
