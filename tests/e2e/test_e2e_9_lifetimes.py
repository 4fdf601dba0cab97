"""Certificates that near their end and pass it, and the server's key in the stack and in its VM.

Nobody waits 90 days: CA and server's certificate are made so that they end within a minute (`ending_tls.py`). From then
on everything is as it is: clocks, gateway, nodes and programs see a certificate that ends, and one that has ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from flower_federation.errors import ToolError
from flower_federation.rotation import served_certificate, urn
from tests.e2e.ending_tls import ENDS_AT, home_with_it
from tests.e2e.evidence import found_in, key_secret, marker, public_evidence
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import BERLIN, CENTRAL, PARIS, Ended, Measured, Project, wait_until
from tests.presence_support import Presence

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.trust,
    pytest.mark.engine,
    pytest.mark.flower,
    pytest.mark.slow,
]

NODES = {"berlin/supernode-0", "berlin/supernode-1", "paris/supernode-0"}
UPDATE_S, UPDATES_LEFT = 6.0, 5
"""From the beginning of the update that makes them to the end of certificates: so many times as long as the same
update took before, or takes at least. It would fail where they ended before the SuperLink has proved itself with them.
It takes 9 s on an idle machine, and took 21 s beside the rest of the suite (2026-11-24)."""
CA = "CA certificate of the federation demo"
COMMAND = "federation rotate ca --renew"


def superlink(project: Project) -> tuple[ZoneView, int]:
    """The zone and the VM of the SuperLink."""
    view = ZoneView(project.zones["madrid"])
    (vm_id,) = view.vms()
    return view, vm_id


def server_keys(project: Project) -> dict[str, bytes]:
    """Private keys of the server in the SuperLink's VM, by file."""
    view, vm_id = superlink(project)
    return {path.name: path.read_bytes() for path in (view.guest(vm_id) / "etc/flower/certs").glob("server*.key")}


def public_part(key_or_certificate: bytes) -> bytes:
    """The public key of a private one, or of a certificate, both in PEM."""
    if b"PRIVATE KEY" in key_or_certificate:
        public: Any = load_pem_private_key(key_or_certificate, None).public_key()
    else:
        public = x509.load_pem_x509_certificate(key_or_certificate).public_key()
    return bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def server_key_in(project: Project, place: str) -> None:
    """Say in the centre's file where the server's key is made."""
    file = project.stack_file(CENTRAL)
    text, changed = re.subn(
        r"(  flower-federation:superlink:\n)(?:    serverKey: .*\n)?", rf"\1    serverKey: {place}\n", file.read_text()
    )
    assert changed == 1
    file.write_text(text)


def previews(project: Project, *stacks: str) -> dict[str, Ended]:
    """Previews of stacks, side by side."""
    with ThreadPoolExecutor() as pool:
        made = pool.map(lambda stack: project.pulumi("preview", "--suppress-progress", stack=stack), stacks)
        return dict(zip(stacks, made, strict=True))


def words(ended: Ended) -> str:
    return " ".join(ended.text.split())


def everything(project: Project) -> Mapping[str, Any]:
    """All that must not change: every zone's objects and every stack's state."""
    zones: dict[str, Any] = {name: ZoneView(zone).content() for name, zone in project.zones.items()}
    folder = project.layout.backend / ".pulumi" / "stacks"
    return {**zones, **{str(path): path.read_bytes() for path in sorted(folder.rglob("*.json"))}}


def up_with_ends(project: Project, end: datetime, *, replaced: str) -> float:
    """`pulumi up` of the centre that makes a certificate anew, and it and what it signs with this end; seconds."""
    home = project.folder / "ending-home"
    if not home.exists():
        home_with_it(home, python=project.layout.bin / "python")
    ended = project.command(
        *(project.layout.bin / "pulumi", "up", "-s", CENTRAL, "--yes", "--skip-preview", "--suppress-progress"),
        *("--color", "never", "--non-interactive", "--replace", urn(CENTRAL, "demo", replaced)),
        stack=CENTRAL,
        PULUMI_HOME=str(home),
        **{ENDS_AT: end.isoformat()},
    )
    assert ended.returncode == 0, ended.text
    return ended.seconds


@pytest.fixture(scope="module")
def update_s() -> list[float]:
    """Seconds of updates like the one whose certificates end soon after it."""
    return []


def soon(left: timedelta) -> datetime:
    """An instant that X.509 can say."""
    return (datetime.now(UTC) + left).replace(microsecond=0)


def test_a_key_of_the_stacks_own_takes_over_and_is_in_the_superlinks_vm_and_nowhere_else(
    one_operator: Project, measured: Measured, update_s: list[float]
) -> None:
    project, client = one_operator, one_operator.control()
    (in_vm,) = server_keys(project).items()
    server_key_in(project, "stack")

    with Presence(lambda: client, NODES) as presence:
        seconds = up_with_ends(project, soon(timedelta(days=20)), replaced="ca")
    update_s.append(seconds)

    outputs = project.stack_outputs(CENTRAL)
    ((name, key),) = server_keys(project).items()
    measured("server's key from its VM to the stack", seconds)
    measured("server's key from its VM to the stack: longest absence of a node", presence.longest_s)
    assert name != in_vm[0]
    assert public_part(key) == public_part(str(outputs["server_certificate"]).encode()) != public_part(in_vm[1])
    assert served_certificate(outputs["superlink_fleet_endpoint"], outputs["ca_certificate"])
    assert {node: seen for node, seen in presence.seen.items() if seen != ["online"]} == {}
    secrets = [marker(), key_secret("the stack's", key), key_secret("the VM's", in_vm[1])]
    _, vm_id = superlink(project)
    own_context = f"OneGate of madrid, VM {vm_id}, /service?extended=true"
    evidence = list(public_evidence(project))
    assert len(evidence) > 50
    assert {where for where, content in evidence if found_in(content, secrets)} <= {own_context}
    for zone in ("berlin", "paris"):
        contexts = list(project.layout.state.glob(f"zones/{zone}/vms/*/context/context.sh"))
        assert contexts
        assert [found_in(path.read_bytes(), secrets) for path in contexts] == [set()] * len(contexts)


def test_previews_warn_of_certificates_with_twenty_days_left(one_operator: Project, measured: Measured) -> None:
    project = one_operator
    (ca,) = x509.load_pem_x509_certificates(str(project.stack_outputs(CENTRAL)["ca_certificate"]).encode())
    end = ca.not_valid_after_utc.isoformat()

    warned = previews(project, CENTRAL, BERLIN)

    for stack, ended in warned.items():
        measured(f"certificates with 20 days left: preview of {stack} that warns", ended.seconds)
    assert [ended.returncode for ended in warned.values()] == [0, 0], [ended.text for ended in warned.values()]
    for what in (CA, "server certificate of the SuperLink", "certificate for join bundles"):
        assert f"{what}: expires at {end}, in 19 days. pulumi up replaces it; federation rotate " in words(
            warned[CENTRAL]
        )
    assert f"{CA}: expires at {end}, in 19 days." in words(warned[BERLIN])


def test_the_vm_makes_its_own_key_again_and_after_the_end_of_certificates_centre_and_zone_are_refused(
    one_operator: Project, measured: Measured, update_s: list[float]
) -> None:
    project, client = one_operator, one_operator.control()
    (in_stack,) = server_keys(project).values()
    server_key_in(project, "vm")
    left = timedelta(seconds=UPDATES_LEFT * max([UPDATE_S, *update_s]))
    end = soon(left)
    with Presence(lambda: client, NODES) as presence:
        seconds = up_with_ends(project, end, replaced="ca")
    ((_, key),) = server_keys(project).items()
    outputs = project.stack_outputs(CENTRAL)
    measured("server's key from the stack to its VM", seconds)
    measured("server's key from the stack to its VM: longest absence of a node", presence.longest_s)
    assert public_part(key) == public_part(str(outputs["server_certificate"]).encode()) != public_part(in_stack)
    assert {node: seen for node, seen in presence.seen.items() if seen != ["online"]} == {}

    wait_until(lambda: datetime.now(UTC) >= end, timeout_s=left.total_seconds(), what=lambda: f"{end}")
    before = everything(project)
    refused = previews(project, CENTRAL, BERLIN)
    after = everything(project)
    up = project.pulumi("up", "--yes", "--skip-preview", "--suppress-progress", stack=CENTRAL)

    for stack, ended in refused.items():
        measured(f"certificates that have ended: preview of {stack} that is refused", ended.seconds)
    with pytest.raises(ToolError, match="certificate has expired"):
        served_certificate(outputs["superlink_fleet_endpoint"], outputs["ca_certificate"])
    for ended in (*refused.values(), up):
        assert ended.returncode != 0, ended.text
        assert f"{CA}: expired at {end.isoformat()}" in words(ended)
        assert all(part in words(ended) for part in ("rule: ", "reason: ", "remedy: ", COMMAND))
        assert "Traceback" not in ended.text
    assert after == before
    assert project.stack_outputs(CENTRAL) == outputs


def test_the_one_command_that_it_names_renews_all_of_it_and_every_node_is_back(
    one_operator: Project, measured: Measured
) -> None:
    project = one_operator
    before = project.stack_outputs(CENTRAL)

    done = project.federation(*COMMAND.removeprefix("federation ").split(), "--json")

    assert done.returncode == 0, done.text
    measured("from an ended CA to every node online", done.seconds)
    for step in json.loads(done.stdout):
        measured(f"from an ended CA to every node online: {step['what']}", float(step["seconds"]))
    outputs = project.stack_outputs(CENTRAL)
    assert outputs["ca_fingerprint"] != before["ca_fingerprint"]
    assert public_part(outputs["ca_certificate"].encode()) == public_part(before["ca_certificate"].encode())
    assert {project.stack_outputs(zone)["ca_fingerprint"] for zone in (BERLIN, PARIS)} == {outputs["ca_fingerprint"]}
    project.wait_online(project.control(), NODES)
    for ended in previews(project, CENTRAL, BERLIN).values():
        assert ended.returncode == 0, ended.text
        assert "expire" not in ended.text, ended.text
        assert not re.search(r"to (create|update|replace|delete)|\+-\d+", ended.text), ended.text
