"""The server's own key in its VM: made once, asked for, served once it is signed, given up when another one is."""

from __future__ import annotations

import asyncio
import base64
import ctypes
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from flower_appliance.appliance import Appliance
from flower_appliance.apply import Applied, apply, clear_obsolete
from flower_appliance.context import SuperLinkContext, read_asked, read_context
from flower_appliance.errors import ContextError, PlanError
from flower_appliance.guest import Guest
from flower_appliance.machine import SERVER_CERT, SERVER_KEY, Machine
from flower_appliance.onegate import OneGate, OneGateAccess
from flower_appliance.plan import plan
from flower_appliance.planned import Plan, describe
from flower_appliance.serverkey import held_keys
from flower_appliance.shellvars import render_assignments
from tests.appliance_support import NOW, TOKEN, FakeOneGate, b64, make_authority, superlink_values, wait_until
from tests.patience import PATIENCE_S
from tests.serverkey_support import sign

CA = make_authority()
NAMES = "localhost 127.0.0.1 10.0.0.5"
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def own_values(*, certificate: str = "", epoch: int = 0, names: str = NAMES, **more: str) -> dict[str, str]:
    """CONTEXT of a SuperLink that makes its own key."""
    values = superlink_values(CA)
    del values["FL_SERVER_KEY"]
    own = {"FL_SERVER_NAMES": names, "FL_SERVER_KEY_EPOCH": str(epoch), "FL_SERVER_REQUEST": f"request-{epoch}"}
    return {**values, **own, "FL_SERVER_CERT": b64(certificate) if certificate else "", **more}


@dataclass
class Boots:
    """One machine that is given one CONTEXT after the other."""

    root: Path

    def take(self, values: dict[str, str]) -> tuple[Plan, Applied]:
        machine = self.machine
        wanted = plan(read_context(values, now=NOW), machine, server_keys=held_keys(machine))
        applied = apply(wanted, machine)
        clear_obsolete(wanted, machine)
        return wanted, applied

    @property
    def machine(self) -> Machine:
        return Machine(root=self.root, loopback="127.0.0.1", address="10.0.0.5", bin_dir=Path("/opt/bin"))

    @property
    def keys(self) -> dict[str, int]:
        """Names and modes of the key files in the folder of certificates."""
        folder = self.machine.path("/etc/flower/certs")
        return {path.name: path.stat().st_mode & 0o7777 for path in folder.glob("server*.key")}


@pytest.fixture
def boots(tmp_path: Path) -> Boots:
    return Boots(tmp_path)


def units(wanted: Plan) -> list[str]:
    return [unit.name.removesuffix(".service") for unit in wanted.units]


def test_without_a_certificate_the_superlink_runs_and_the_gateway_waits(boots: Boots) -> None:
    wanted, applied = boots.take(own_values())

    assert wanted.awaits_certificate
    assert units(wanted) == ["flower-superlink", "flower-audit"]
    assert [type(check).__name__ for check in wanted.checks] == ["HandshakeCheck", "ChildCheck", "AuditCheck"]
    assert boots.keys == {"server-0.key": 0o600}
    request = x509.load_pem_x509_csr(applied.server_request.encode())
    asked = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in asked] == NAMES.split()
    assert request.is_signature_valid


def test_the_same_request_is_made_at_every_boot(boots: Boots) -> None:
    assert boots.take(own_values())[1].server_request == boots.take(own_values())[1].server_request


def test_with_its_certificate_the_gateway_serves_the_vms_own_key(boots: Boots) -> None:
    _, first = boots.take(own_values())
    wanted, applied = boots.take(own_values(certificate=sign(CA, first.server_request)))

    assert not wanted.awaits_certificate
    assert units(wanted) == ["flower-superlink", "flower-gateway", "flower-audit"]
    gateway = next(file for file in wanted.files if file.path.endswith("gateway.json"))
    (pair,) = json.loads(gateway.content)["apps"]["tls"]["certificates"]["load_files"]
    assert pair["key"] == str(boots.machine.path("/etc/flower/certs/server-0.key"))
    assert applied.server_request == first.server_request


def test_the_superlink_is_not_restarted_when_its_certificate_comes(boots: Boots) -> None:
    _, first = boots.take(own_values())
    _, then = boots.take(own_values(certificate=sign(CA, first.server_request)))

    assert first.digests["flower-superlink.service"] == then.digests["flower-superlink.service"]


def test_a_new_key_waits_beside_the_served_one_and_takes_over_with_its_certificate(boots: Boots) -> None:
    _, first = boots.take(own_values())
    old = sign(CA, first.server_request)
    boots.take(own_values(certificate=old))

    asked, second = boots.take(own_values(certificate=old, epoch=1))
    assert second.server_request != first.server_request
    assert not asked.awaits_certificate, "the old one is served meanwhile"
    assert set(boots.keys) == {"server-0.key", "server-1.key"}

    taken, applied = boots.take(own_values(certificate=sign(CA, second.server_request), epoch=1))
    assert not taken.awaits_certificate
    assert applied.digests["flower-gateway.service reload"] != second.digests["flower-gateway.service reload"]
    assert set(boots.keys) == {"server-1.key"}
    assert not boots.machine.path("/etc/flower/certs/server-0.csr").exists()


def test_no_key_is_given_up_while_no_certificate_is_in_use(boots: Boots) -> None:
    """The certificate may only be missing for a moment; without its key it would be of no use any more."""
    _, first = boots.take(own_values())
    old = sign(CA, first.server_request)
    boots.take(own_values(certificate=old))

    boots.take(own_values(epoch=1))
    assert set(boots.keys) == {"server-0.key", "server-1.key"}
    back, _ = boots.take(own_values(certificate=old, epoch=1))
    assert not back.awaits_certificate


def test_a_certificate_of_a_key_that_is_gone_is_not_served_and_another_is_asked_for(
    boots: Boots, tmp_path: Path
) -> None:
    _, first = boots.take(own_values())
    recreated = Boots(tmp_path / "a VM made anew")

    wanted, applied = recreated.take(own_values(certificate=sign(CA, first.server_request)))

    assert wanted.awaits_certificate
    assert applied.server_request != first.server_request
    assert not recreated.machine.path(SERVER_CERT).exists()


def test_a_damaged_key_is_made_anew_and_a_damaged_request_is_made_for_the_same_key(boots: Boots) -> None:
    _, first = boots.take(own_values())
    folder = boots.machine.path("/etc/flower/certs")
    (folder / "server-0.csr").write_text("no request")
    _, second = boots.take(own_values())
    (folder / "server-0.key").write_text("no key")
    _, third = boots.take(own_values())

    keys = [x509.load_pem_x509_csr(each.server_request.encode()).public_key() for each in (first, second, third)]
    assert keys[0] == keys[1] != keys[2]


def test_other_names_are_another_request_for_the_same_key(boots: Boots) -> None:
    _, first = boots.take(own_values())
    _, second = boots.take(own_values(names=f"{NAMES} fl.example"))

    requests = [x509.load_pem_x509_csr(each.server_request.encode()) for each in (first, second)]
    assert requests[0].public_key() == requests[1].public_key()
    assert first.server_request != second.server_request


def test_a_given_key_is_served_until_the_vms_own_has_its_certificate_and_is_gone_then(boots: Boots) -> None:
    given = superlink_values(CA)
    own = own_values()
    both = {**own, "FL_SERVER_CERT": given["FL_SERVER_CERT"], "FL_SERVER_KEY": given["FL_SERVER_KEY"]}
    boots.take(given)

    moving, applied = boots.take(both)
    assert not moving.awaits_certificate
    assert set(boots.keys) == {"server.key", "server-0.key"}

    moved, _ = boots.take(own_values(certificate=sign(CA, applied.server_request)))
    assert not moved.awaits_certificate
    assert set(boots.keys) == {"server-0.key"}
    boots.take(given)
    assert set(boots.keys) == {"server.key"}, "and back again"


def test_a_shown_plan_names_the_key_and_does_not_hold_it(boots: Boots) -> None:
    wanted, _ = boots.take(own_values())
    shown = json.dumps(describe(wanted))
    assert "/etc/flower/certs/server-0.key" in shown
    assert "PRIVATE" not in shown


def test_the_machines_address_must_be_among_the_names(boots: Boots) -> None:
    with pytest.raises(PlanError, match=r"FL_SERVER_NAMES names localhost[\s\S]*10\.0\.0\.5[\s\S]*superlink\.address"):
        boots.take(own_values(names="localhost"))


@pytest.mark.parametrize(
    ("changes", "problem", "remedy"),
    [
        ({"FL_SERVER_NAMES": "local_host! 10.0.0.5"}, "local_host!", "Correct 'local_host!'"),
        ({"FL_SERVER_KEY_EPOCH": "-1"}, "FL_SERVER_KEY_EPOCH is '-1'", "Correct FL_SERVER_KEY_EPOCH"),
        ({"FL_SERVER_NAMES": ""}, "FL_SERVER_REQUEST is 'request-0'", "Set FL_SERVER_NAMES too"),
    ],
)
def test_a_context_that_asks_for_a_key_wrongly_is_refused(changes: dict[str, str], problem: str, remedy: str) -> None:
    with pytest.raises(ContextError) as refusal:
        read_context(own_values(**changes), now=NOW)
    assert problem in str(refusal.value)
    assert remedy in str(refusal.value)


def test_a_certificate_without_its_key_is_still_refused_where_no_key_is_asked_for() -> None:
    values = superlink_values(CA)
    del values["FL_SERVER_KEY"]
    with pytest.raises(ContextError, match="FL_SERVER_KEY is absent"):
        read_context(values, now=NOW)
    context = read_context(superlink_values(CA), now=NOW)
    assert isinstance(context, SuperLinkContext) and context.own_key is None
    assert SERVER_KEY in [file.path for file in plan(context, Boots(Path("/")).machine).files]


@pytest.fixture
def init() -> Iterator[None]:
    """This process is a machine's init during a test, and no longer: orphans of other tests are not its children."""
    yield
    assert ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0


@pytest.mark.parametrize("volume", ["", "flower-state"], ids=["the image's disk", "a volume that is not mounted"])
async def test_a_request_is_answered_although_the_certificate_in_the_context_has_ended(
    tmp_path: Path, init: None, volume: str
) -> None:
    """Else nothing could take its place: the stack signs what the VM asks for, and waits for the answer.

    So it is with another key for a certificate that has ended, and where a CA of the operator's own has ended and the
    federation's takes over. Without its volume the VM makes no key, as ever.
    """
    certificate, key = CA.issue(*NAMES.split())
    values = own_values(certificate=certificate, epoch=1, FL_SERVER_KEY=b64(key), FL_STATE_VOLUME=volume)
    context = tmp_path / "context"
    context.mkdir()
    (context / "context.sh").write_text(render_assignments(values))
    guest = Guest(
        vm_mark="x", root=tmp_path / "root", context_folder=context, address="10.0.0.5", bin_dir=Path("/opt/flower/bin")
    )
    later = x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc + timedelta(seconds=1)
    with FakeOneGate() as onegate:
        onegate.names["7"] = "superlink_0_(service_3)"
        access = OneGateAccess(endpoint=onegate.url, vm_id="7", token=TOKEN, ca_file=None)
        appliance = Appliance(guest, onegate=OneGate(access), now=lambda: later)
        running = asyncio.create_task(appliance.run())
        told = "FL_SERVER_CERT"
        await asyncio.to_thread(wait_until, lambda: told in onegate.error_of(7), told)
        appliance.ask_to_stop()
        await asyncio.wait_for(running, PATIENCE_S)
        said = onegate.of(7)
    made = (tmp_path / "root/etc/flower/certs/server-1.key").exists()
    if volume:
        assert ("FL_SERVER_REQUEST" in said, made) == (False, False)
        return
    assert (said["FL_SERVER_REQUEST"], made) == ("request-1", True)
    request = x509.load_pem_x509_csr(base64.b64decode(said["FL_SERVER_CSR"]))
    assert request.is_signature_valid
    assert "READY" not in said


@pytest.mark.parametrize(
    "changes", [{"FL_ROLE": "supernode"}, {"FL_SERVER_NAMES": ""}, {"FL_SERVER_NAMES": "a b!c"}, {"FL_FEDERATION": ""}]
)
def test_a_context_that_asks_for_no_certificate_or_not_in_order_is_answered_with_none(changes: dict[str, str]) -> None:
    assert read_asked(own_values()) is not None
    assert read_asked({**own_values(), **changes}) is None
