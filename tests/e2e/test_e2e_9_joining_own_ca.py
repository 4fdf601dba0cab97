"""Certificates of an operator's own CA are renewed, and another CA takes over, while nodes of two organisations stay.

The federation of `test_e2e_9_joining.py`. The operator does what docs/operations/rotation.md says: files and secrets of
the centre, `pulumi up`, and new bundles for the zones. Each test goes on from where the one before it left off.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from flower_federation.rotation import fingerprint, served_certificate
from tests.e2e.control_view import client_of_the_moment
from tests.e2e.evidence import contexts, found_in, key_secret, marker, public_evidence, vm_keys
from tests.e2e.organisations import (
    NODES,
    ZONES,
    ForeignAuthority,
    Organisations,
    bring,
    bring_keys,
    come_together,
    edit,
    invite,
    other_files,
    pin,
)
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import CENTRAL, Measured, Project
from tests.join_support import key_pem, pem
from tests.presence_support import Presence

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.trust,
    pytest.mark.engine,
    pytest.mark.flower,
    pytest.mark.slow,
]

OFFLINE_LIMIT_S = 10.0


@pytest.fixture(scope="module", autouse=True)
def joined(organisations: Organisations) -> Iterator[None]:
    """Both zones have joined; nobody needs these federations after this file."""
    come_together(organisations)
    yield
    organisations.close()


@pytest.fixture(scope="module")
def successor() -> ForeignAuthority:
    """The CA that takes over, with keys of its own for server and bundles."""
    return ForeignAuthority.make("Hospital 2")


def served(organisations: Organisations) -> str:
    """Fingerprint of what the gateway shows to somebody who trusts what the centre presents."""
    endpoint = organisations.centre.stack_outputs(CENTRAL)["superlink_fleet_endpoint"]
    return served_certificate(endpoint, "".join(map(pem, organisations.trusted)))


def up_of_the_centre(organisations: Organisations) -> float:
    started = time.monotonic()
    organisations.centre.up(CENTRAL)
    return time.monotonic() - started


def tell_zones(organisations: Organisations) -> float:
    """A new bundle for each zone, its fingerprints read out and set; then one zone after the other comes up with it."""
    started = time.monotonic()
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda zone: invite(organisations, zone), ZONES))
    for zone, stack in ZONES.items():
        pin(organisations, zone, organisations.fingerprint)
        organisations.zones[zone].up(stack)
    return time.monotonic() - started


def processes(project: Project) -> dict[str, set[int]]:
    """SuperLink and gateway of the centre."""
    view = ZoneView(project.zones["madrid"])
    (vm_id,) = view.vms()
    return {program: set(view.processes(vm_id, program)) for program in ("/flower-superlink ", "/caddy run")}


def test_a_renewed_certificate_for_the_same_key_and_a_second_root_are_taken_and_zones_told_of_both(
    organisations: Organisations, successor: ForeignAuthority, measured: Measured
) -> None:
    centre, authority = organisations.centre, organisations.authority
    before, running = served(organisations), processes(centre)
    client = client_of_the_moment(centre)
    renewed = authority.server(organisations.address, days=80)
    organisations.trusted.append(successor.root)
    bring(centre, certificate=organisations.trusted, serverCertificate=[renewed])

    with Presence(client, NODES) as presence:
        seconds = up_of_the_centre(organisations)
    with Presence(client, NODES) as told:
        zones = tell_zones(organisations)

    measured("own CA: renewed certificate for the same key, a second root beside the first", seconds)
    measured("own CA: the same, longest absence of a node", presence.longest_s)
    measured("own CA: two zones told of both roots by new bundles", zones)
    measured("own CA: the same, longest absence of a node", told.longest_s)
    assert served(organisations) == renewed.fingerprint(hashes.SHA256()).hex() != before
    assert {node: seen for node, seen in presence.seen.items() if seen != ["online"]} == {}
    assert told.within(OFFLINE_LIMIT_S), told
    assert processes(centre) == running
    for zone, stack in ZONES.items():
        assert organisations.zones[zone].stack_outputs(stack)["ca_fingerprint"] == organisations.fingerprint


def test_the_new_ca_takes_over_with_a_new_key_and_no_node_notices(
    organisations: Organisations, successor: ForeignAuthority, measured: Measured
) -> None:
    centre, client = organisations.centre, client_of_the_moment(organisations.centre)
    running = processes(centre)
    certificate = successor.server(organisations.address)
    bring(centre, serverCertificate=[certificate], chain=[successor.issuing], bundleCertificate=[successor.bundle])
    bring_keys(centre, successor)

    with Presence(client, NODES) as presence:
        seconds = up_of_the_centre(organisations)

    measured("own CA: certificate by the new root for a new key", seconds)
    measured("own CA: the same, longest absence of a node", presence.longest_s)
    assert served(organisations) == certificate.fingerprint(hashes.SHA256()).hex()
    assert {node: seen for node, seen in presence.seen.items() if seen != ["online"]} == {}
    assert processes(centre) == running


def test_the_old_root_is_forgotten_and_every_node_is_online_under_the_new_one_alone(
    organisations: Organisations, successor: ForeignAuthority, measured: Measured
) -> None:
    centre, client = organisations.centre, client_of_the_moment(organisations.centre)
    organisations.trusted.remove(organisations.authority.root)
    bring(centre, certificate=organisations.trusted)

    with Presence(client, NODES) as presence:
        seconds = up_of_the_centre(organisations)
        zones = tell_zones(organisations)

    measured("own CA: old root forgotten by the centre", seconds)
    measured("own CA: and by two zones", zones)
    measured("own CA: the same, longest absence of a node", presence.longest_s)
    assert presence.within(OFFLINE_LIMIT_S), presence
    centre.wait_online(centre.control(), NODES)
    assert organisations.fingerprint == successor.root.fingerprint(hashes.SHA256()).hex()
    for project, stack in ((centre, CENTRAL), *((organisations.zones[zone], ZONES[zone]) for zone in ZONES)):
        assert project.stack_outputs(stack)["ca_fingerprint"] == organisations.fingerprint
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        endpoint = centre.stack_outputs(CENTRAL)["superlink_fleet_endpoint"]
        served_certificate(endpoint, pem(organisations.authority.root))


def test_no_private_key_is_in_state_logs_documents_answers_or_files_that_were_sent(
    organisations: Organisations, successor: ForeignAuthority, measured: Measured
) -> None:
    started = time.monotonic()
    secrets = [marker()]
    for authority in (organisations.authority, successor):
        for name in ("root_key", "issuing_key", "server_key", "bundle_key"):
            secrets.append(key_secret(f"{authority.name} {name}", key_pem(getattr(authority, name)).encode()))
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
    of_the_centre = [secret for secret in secrets if secret.name.endswith(("root_key", "issuing_key", "bundle_key"))]
    assert len(of_the_centre) == 6
    for where, content in contexts(organisations.centre):
        assert found_in(content, of_the_centre) == set(), where
    measured(f"search of {len(evidence)} places for {len(secrets)} private keys", time.monotonic() - started)


def test_the_keys_of_both_cas_were_given_to_nobody(organisations: Organisations, successor: ForeignAuthority) -> None:
    secrets = [
        key_secret(f"{authority.name} {name}", key_pem(getattr(authority, name)).encode())
        for authority in (organisations.authority, successor)
        for name in ("root_key", "issuing_key")
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


def test_a_centre_that_gives_up_its_own_ca_makes_another_with_one_command_and_its_vm_makes_the_servers_key(
    organisations: Organisations, measured: Measured
) -> None:
    centre = organisations.centre
    edit(centre, r"  flower-federation:ca:\n(?:    \S+: \S+\n)+", "")
    edit(centre, r"  flower-federation:(?:serverKey|bundleKey):\n    secure: .*\n", "")
    refused = centre.federation("rotate", "server-certificate", stack=CENTRAL)
    assert refused.returncode != 0
    assert "run federation rotate ca --renew" in refused.text

    started = time.monotonic()
    renewed = centre.federation("rotate", "ca", "--renew", stack=CENTRAL)
    assert renewed.returncode == 0, renewed.text
    measured("own CA given up: the centre has the federation's", time.monotonic() - started)
    outputs = centre.stack_outputs(CENTRAL)
    organisations.trusted[:] = x509.load_pem_x509_certificates(outputs["ca_certificate"].encode())
    measured("own CA given up: two zones told by new bundles", tell_zones(organisations))

    centre.wait_online(centre.control(), NODES)
    assert organisations.trusted[0].subject.rfc4514_string() == "CN=Flower federation CA,O=demo"
    assert served(organisations) == fingerprint(outputs["server_certificate"])
    view = ZoneView(centre.zones["madrid"])
    (vm_id,) = view.vms()
    keys = (view.guest(vm_id) / "etc/flower/certs").glob("server*.key")
    assert [path.name for path in keys] == ["server-0.key"], "the given one is gone"
