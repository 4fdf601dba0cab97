"""No private key, password or passphrase can be read where it has no business to be.

Every key that a VM uses was made in it, the SuperLink's too: each is in one file of its VM, and in no state, template,
CONTEXT, document or attribute of any zone.
"""

from __future__ import annotations

import base64
import json
import stat
import time

import pytest

from tests.e2e.evidence import Secret, found_in, marker, private_keys, public_evidence, text_secret, vm_keys
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import BERLIN, CENTRAL, STACKS, Measured, Project

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]


@pytest.fixture(scope="module")
def secrets(federation: Project) -> list[Secret]:
    """Every secret of the federation that exists in plain text somewhere."""
    found = private_keys(federation)
    for name, zone in federation.zones.items():
        found.append(text_secret(f"password of {name}", ZoneView(zone).password))
    found += [text_secret(f"passphrase of {stack}", federation.passphrase(stack)) for stack in STACKS]
    return found


def test_the_search_would_find_each_secret_wherever_it_stood(federation: Project, secrets: list[Secret]) -> None:
    for path in vm_keys(federation):
        pem, name = path.read_bytes(), f"key in {path.relative_to(federation.folder)}"
        for text in (pem, b"FL_KEY='" + base64.b64encode(pem) + b"'", json.dumps({"k": pem.decode()}).encode()):
            assert {marker().name, name} <= found_in(text, secrets)
        assert found_in(b"\n".join(pem.splitlines()[2:-1]), secrets) == found_in(pem, secrets) - {marker().name}
    (superlink_key,) = federation.zones["madrid"].state.glob("vms/*/root/etc/flower/certs/server-*.key")
    assert len(found_in(superlink_key.read_bytes(), secrets)) == 2, "the marker and the file: no key of the state"
    session = ZoneView(federation.zones["berlin"]).session.encode()
    for text in (session, base64.b64encode(session)):
        assert found_in(text, secrets) == {"password of berlin"}
    # Of the state: the federation's CA, bundles, the Control API's CA, and the stack as its client.
    assert len(secrets) == 1 + 3 + 3 + len(vm_keys(federation)) + 4


def test_no_state_log_document_or_answer_holds_a_secret(
    federation: Project, secrets: list[Secret], measured: Measured
) -> None:
    started = time.monotonic()
    evidence = list(public_evidence(federation))

    leaks = {where: found_in(content, secrets) for where, content in evidence}
    measured(f"search of {len(evidence)} places for {len(secrets)} secrets", time.monotonic() - started)
    assert {where: found for where, found in leaks.items() if found} == {}
    assert [where for where, content in evidence if b"PRIVATE KEY" in content] == [], "not even there in clear"
    for part in (
        "stack export of",
        "OneFlow of madrid, /service/",
        "/service?extended=true",
        "console.log",
        "zone.log",
    ):
        assert any(part in where for where, _ in evidence), part


def test_no_object_of_any_zone_holds_a_secret(federation: Project, secrets: list[Secret]) -> None:
    looked_at: dict[str, int] = {}
    holders = set()
    for name, zone in federation.zones.items():
        view = ZoneView(zone)
        for kind in ("template", "vm", "vn", "image", "secgroup", "user", "document"):
            arguments = () if kind == "user" else (-2, -1, -1)
            arguments += {"vm": (-1,), "document": (100,)}.get(kind, ())
            for item in view.pool(f"{kind}pool", *arguments):
                if item.find("ID") is None:
                    continue  # default quotas, among the users
                id_ = int(item.findtext("ID") or "")
                looked_at[kind] = looked_at.get(kind, 0) + 1
                if found_in(view.call(f"{kind}.info", id_).encode(), secrets):
                    holders.add((name, kind, item.findtext("NAME")))
    assert holders == set()
    assert looked_at["vm"] == sum(len(ZoneView(zone).vms()) for zone in federation.zones.values()) >= 3
    assert looked_at["template"] >= 3
    madrid = ZoneView(federation.zones["madrid"])
    (vm_id,) = madrid.vms()
    assert "FL_SERVER_CERT" in madrid.call("vm.info", vm_id), "its CONTEXT was looked at"


def test_every_file_that_exists_to_hold_a_secret_is_readable_by_its_owner_only(federation: Project) -> None:
    zones = federation.layout.state / "zones"
    files = [*vm_keys(federation), *zones.glob("*/one_auth"), *zones.glob("*/*.key")]
    files += [*zones.glob("*/zonebox.sqlite*"), *zones.glob("*/vms/*/context/*")]
    assert len(files) >= 3 + 3 + 6 + 3 + 2 * 3
    modes = {str(path.relative_to(zones)): stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files}
    assert {name for name, mode in modes.items() if mode} == set()


def test_each_operators_passphrase_opens_his_own_stack_only(federation: Project) -> None:
    pulumi = federation.layout.bin / "pulumi"
    ended = federation.command(pulumi, "stack", "export", "-s", CENTRAL, "--show-secrets", stack=BERLIN, keep=False)
    assert ended.returncode != 0
    assert "incorrect passphrase" in ended.text
