"""Rotation against stacks in memory: which stacks come up, in which order, what is checked, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flower_federation import cli, operations_cli
from flower_federation.errors import InputError, ToolError
from flower_federation.operations import Federation
from flower_federation.rotation import Rotation, fingerprint, next_epoch, urn
from flower_federation.stacks import Changes, StackFile
from flower_federation.trusted import TrustedZone
from tests.components_support import authority
from tests.join_support import NOW, pem, root

CENTRAL = StackFile(name="madrid-central", kind="central", zone="madrid", central=None, trusted=("berlin-hospital",))
BERLIN = StackFile(name="berlin-hospital", kind="zone", zone="berlin", central="madrid-central")
FEDERATION = Federation(own_central=CENTRAL, zones=(BERLIN,))
NODE = {"name": "berlin/supernode-0", "fingerprint": "f0"}


class World:
    """A centre and a zone that do what their files say."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, Any]] = {"madrid-central": {}, "berlin-hospital": {}}
        self.log: list[str] = []
        self.said: list[str] = []
        self.serial = 0
        self.served_serial: int | None = None
        self.stubborn_zone = False
        self.trusted: Mapping[str, str] = {}
        self.presented = ""
        self.cut_off: str | None = None
        self.ca = authority().pem
        self.up(CENTRAL)
        self.up(BERLIN)
        self.log.clear()

    @property
    def trusts(self) -> str:
        plan = self.files["madrid-central"].get("caRollover") or {}
        generation, stage = int(plan.get("generation", 1)), plan.get("stage", "steady")
        return f"ca{generation}" if stage == "steady" else f"ca{generation} ca{generation + 1}"

    def outputs(self, stack: StackFile) -> dict[str, Any]:
        if stack is not CENTRAL and stack.name != CENTRAL.name:
            return {"ca_fingerprint": self.trusted["berlin-hospital"], "nodes": [NODE]}
        return {
            "federation": "demo",
            "superlink_fleet_endpoint": "192.0.2.1:9092",
            "ca_certificate": self.ca,
            "ca_fingerprint": self.presented,
            "server_certificate": authority(self.serial).pem,
        }

    def up(self, stack: StackFile, *, replace: Sequence[str] = ()) -> Changes:
        self.log.append(" ".join(["up", stack.name, *replace]))
        if stack.name == self.cut_off:
            raise KeyboardInterrupt
        moved = stack.name == CENTRAL.name and self.ca != authority().pem
        if moved and replace:
            # Word for word what engine 3.259.0 says (2026-11-24).
            raise AssertionError(f"Target '{replace[0]}' could not be found in the stack.")
        if stack.name == CENTRAL.name:
            self.presented, self.ca = self.trusts, authority().pem
        self.serial += bool(replace) or moved
        if stack.name == "berlin-hospital" and not (self.stubborn_zone and self.trusted):
            self.trusted = {"berlin-hospital": self.trusts}
        return Changes(created=0, updated=1, replaced=0, deleted=0, unchanged=0)

    def config(self, stack: StackFile) -> Mapping[str, Any]:
        return self.files[stack.name]

    def set_config(self, stack: StackFile, values: Mapping[str, str]) -> None:
        for path, value in values.items():
            self.log.append(f"set {stack.name} {path}={value}")
            name, _, key = path.partition(".")
            if key:
                self.files[stack.name].setdefault(name, {})[key] = value
            else:
                self.files[stack.name].setdefault(name.partition("[")[0], []).append(value)

    def wait_online(self, stack: StackFile) -> tuple[str, ...]:
        self.log.append("online")
        return ("berlin/supernode-0",)

    def served(self, endpoint: str, ca_certificate: str) -> str:
        assert (endpoint, ca_certificate) == ("192.0.2.1:9092", self.ca)
        return fingerprint(authority(self.serial if self.served_serial is None else self.served_serial).pem)

    def say(self, line: str) -> None:
        if not line.startswith(("madrid-central: ", "berlin-hospital: ", "stacks/")) and not line.endswith(" s)"):
            self.said.append(line)

    def rotation(self, clock: Callable[[], float] = lambda: 0.0) -> Rotation:
        return Rotation(stacks=self, wait_online=self.wait_online, served=self.served, say=self.say, clock=clock)


@pytest.fixture
def world() -> World:
    return World()


SERVER = urn("madrid-central", "demo", "server")


def test_a_server_certificate_is_one_replacement_in_the_centre_and_nothing_in_the_zones(world: World) -> None:
    world.rotation().server_certificate(FEDERATION)
    assert world.log == [f"up madrid-central {SERVER}", "online"]


def test_the_names_of_resources_are_the_engines(world: World) -> None:
    assert SERVER == (
        "urn:pulumi:madrid-central::flower-federation::"
        "flower:index:FederationPKI$tls:index/locallySignedCert:LocallySignedCert::demo-server"
    )


def test_a_new_key_is_made_by_the_vm_when_it_is_asked_for_once_more(world: World) -> None:
    for epoch in (1, 2):
        world.log.clear()
        world.serial += 1  # what the VM's new request makes of the certificate
        with pytest.raises(ToolError, match="shows the certificate"):
            world.rotation().server_certificate(FEDERATION, new_key=True)
        assert world.log == [f"set madrid-central superlink.serverKeyEpoch={epoch}", "up madrid-central"]


def test_a_new_key_of_the_stacks_own_is_made_only_when_it_is_asked_for(world: World) -> None:
    world.files["madrid-central"]["superlink"] = {"serverKey": "stack"}
    world.rotation().server_certificate(FEDERATION, new_key=True)
    assert world.log[0] == f"up madrid-central {urn('madrid-central', 'demo', 'server-key')} {SERVER}"


def test_a_certificate_that_is_not_served_is_an_error_whatever_the_engine_said(world: World) -> None:
    world.served_serial = 0
    with pytest.raises(ToolError, match="shows the certificate"):
        world.rotation().server_certificate(FEDERATION)


def test_a_whole_rollover_tells_the_zones_twice_and_lets_the_new_ca_sign_in_between(world: World) -> None:
    steps = world.rotation().ca(FEDERATION)
    assert world.log == [
        "set madrid-central caRollover.generation=1",
        "set madrid-central caRollover.stage=trust-both",
        "up madrid-central",
        "up berlin-hospital",
        "online",
        "set madrid-central caRollover.generation=1",
        "set madrid-central caRollover.stage=switch",
        "up madrid-central",
        "online",
        "set madrid-central caRollover.generation=2",
        "set madrid-central caRollover.stage=steady",
        "up madrid-central",
        "up berlin-hospital",
        "online",
    ]
    assert [step.what.partition(":")[0] for step in steps if ":" in step.what] == [
        "trust-both",
        "trust-both",
        "switch",
        "retire",
        "retire",
    ]
    assert world.trusted == {"berlin-hospital": "ca2"}


def test_stages_go_in_their_order_only(world: World) -> None:
    for wrong in ("switch", "retire"):
        with pytest.raises(InputError, match="the next stage is trust-both"):
            world.rotation().ca(FEDERATION, wrong)
    assert world.log == []
    world.rotation().ca(FEDERATION, "trust-both")
    with pytest.raises(InputError, match="the next stage is switch"):
        world.rotation().ca(FEDERATION, "retire")


def test_a_rollover_that_was_interrupted_goes_on_where_it_was(world: World) -> None:
    world.rotation().ca(FEDERATION, "trust-both")
    world.log.clear()
    world.rotation().ca(FEDERATION)
    assert "set madrid-central caRollover.stage=trust-both" not in world.log
    assert world.trusted == {"berlin-hospital": "ca2"}


@pytest.mark.parametrize("where", ["madrid-central", "berlin-hospital"])
def test_a_last_stage_that_was_cut_off_is_finished_and_no_other_rollover_begins(world: World, where: str) -> None:
    world.rotation().ca(FEDERATION, "trust-both")
    world.rotation().ca(FEDERATION, "switch")
    world.cut_off = where
    with pytest.raises(KeyboardInterrupt):
        world.rotation().ca(FEDERATION, "retire")
    world.cut_off = None
    with pytest.raises(InputError, match="the next stage is retire: CA 2 is to be alone"):
        world.rotation().ca(FEDERATION, "trust-both")

    world.log.clear()
    steps = world.rotation().ca(FEDERATION)

    assert world.log == ["up madrid-central", "up berlin-hospital", "online"]
    assert steps[0].what == "retire: madrid-central"
    assert (world.presented, world.trusted) == ("ca2", {"berlin-hospital": "ca2"})


def test_the_new_ca_does_not_sign_before_every_zone_trusts_it(world: World) -> None:
    world.stubborn_zone = True
    with pytest.raises(ToolError, match=r"berlin-hospital trusts ca1\n  rule:   it trusts what the centre presents"):
        world.rotation().ca(FEDERATION)
    assert "set madrid-central caRollover.stage=switch" not in world.log
    world.files["madrid-central"]["caRollover"] = {"generation": "1", "stage": "trust-both"}
    with pytest.raises(ToolError, match="locked out"):
        world.rotation().ca(FEDERATION, "switch")


def test_the_new_ca_does_not_sign_where_the_centre_never_came_up_with_both(world: World) -> None:
    """As after an update of stage trust-both that failed: its stage is in the file, and nowhere else."""
    broken = world.outputs(CENTRAL)
    world.files["madrid-central"]["caRollover"] = {"generation": "1", "stage": "trust-both"}
    world.outputs = lambda stack: broken if stack == CENTRAL else {"ca_fingerprint": "ca1"}  # type: ignore[method-assign]
    with pytest.raises(ToolError, match="presents one CA, ca1"):
        world.rotation().ca(FEDERATION)
    assert world.log == []


def test_a_ca_is_renewed_with_its_key_and_every_zone_is_told(world: World) -> None:
    steps = world.rotation().renew_ca(FEDERATION)
    assert world.log == [f"up madrid-central {urn('madrid-central', 'demo', 'ca')}", "up berlin-hospital", "online"]
    assert [step.what for step in steps][1] == "berlin-hospital trusts it"


def test_during_a_rollover_both_cas_are_renewed(world: World) -> None:
    world.rotation().ca(FEDERATION, "trust-both")
    world.log.clear()
    world.rotation().renew_ca(FEDERATION)
    assert world.log[0] == (
        "up madrid-central urn:pulumi:madrid-central::flower-federation::flower:index:FederationPKI"
        "$tls:index/selfSignedCert:SelfSignedCert::demo-ca "
        "urn:pulumi:madrid-central::flower-federation::flower:index:FederationPKI"
        "$tls:index/selfSignedCert:SelfSignedCert::demo-ca-2"
    )


def test_nodes_of_zones_that_join_by_a_file_are_not_waited_for_since_they_need_a_new_bundle(world: World) -> None:
    invited = TrustedZone(name="paris", stack=None, answer=Path("answers/paris.json"), max_nodes=1)
    world.rotation().renew_ca(Federation(own_central=replace(CENTRAL, invited=(invited,)), zones=(BERLIN,)))
    assert world.log[-1] == "up berlin-hospital"
    assert world.said == ["paris: send each a new bundle (federation invite); its nodes are back after its pulumi up"]


def test_a_server_certificate_that_has_ended_is_replaced_although_nobody_can_be_shown_it(world: World) -> None:
    asked: list[str] = []

    def served(endpoint: str, ca_certificate: str) -> str:
        asked.append(world.log[-1])
        return World.served(world, endpoint, ca_certificate)

    world.served = served  # type: ignore[method-assign]
    world.rotation().server_certificate(FEDERATION)
    assert asked == [f"up madrid-central {SERVER}"], "asked for once the new one is there, and not before"


def test_zones_that_join_by_a_file_are_told_between_the_stages(world: World) -> None:
    invited = TrustedZone(name="paris", stack=None, answer=Path("answers/paris.json"), max_nodes=1)
    federation = Federation(own_central=replace(CENTRAL, invited=(invited,)), zones=(BERLIN,))
    with pytest.raises(InputError, match="federation invite"):
        world.rotation().ca(federation)
    world.rotation().ca(federation, "trust-both")
    assert "up berlin-hospital" in world.log


def test_a_centre_that_gave_up_a_ca_of_its_operators_gets_its_first_one_and_every_zone_is_told(world: World) -> None:
    world.ca = pem(root(end=NOW))
    for rotate in (world.rotation().server_certificate, world.rotation().ca):
        with pytest.raises(InputError, match="federation rotate ca --renew") as refusal:
            rotate(FEDERATION)
        assert "its CA is still the one that ca named" in refusal.value.given
    assert world.log == []

    world.rotation().renew_ca(FEDERATION)
    assert world.log == ["up madrid-central", "up berlin-hospital", "online"]
    world.rotation().server_certificate(FEDERATION)
    assert world.log[-2:] == [f"up madrid-central {SERVER}", "online"]


def test_certificates_of_another_ca_are_not_made_here(world: World) -> None:
    world.files["madrid-central"]["ca"] = {"certificate": "ca.crt"}
    for rotate in (world.rotation().server_certificate, world.rotation().ca, world.rotation().renew_ca):
        with pytest.raises(InputError, match="put the renewed certificate into the file"):
            rotate(FEDERATION)
    assert world.log == []


def test_a_node_gets_a_new_key_by_counting_its_epoch_and_the_centre_enrols_it(world: World) -> None:
    world.rotation().rekey(FEDERATION, "berlin/supernode-0")
    assert world.log == [
        "set berlin-hospital nodeKeyEpochs[0]=supernode-0:1",
        "up berlin-hospital",
        "up madrid-central",
        "online",
    ]


@pytest.mark.parametrize("node", ["berlin/supernode-9", "paris/supernode-0", "supernode-0"])
def test_a_node_that_is_not_there_is_refused(world: World, node: str) -> None:
    with pytest.raises(InputError, match="federation status shows the nodes"):
        world.rotation().rekey(FEDERATION, node)
    assert world.log == []


def test_a_node_that_is_kept_out_by_name_is_refused_with_what_to_remove(world: World) -> None:
    federation = Federation(own_central=replace(CENTRAL, revoked=("berlin/supernode-0",)), zones=(BERLIN,))
    with pytest.raises(InputError, match="remove berlin/supernode-0 from revoked"):
        world.rotation().rekey(federation, "berlin/supernode-0")


def test_counts_go_up_one_by_one_where_a_node_is_listed_and_start_at_one_elsewhere() -> None:
    listed = ["supernode-1:2", "supernode-0:1"]
    assert next_epoch(listed, "supernode-0") == (1, 2)
    assert next_epoch(listed, "supernode-1") == (0, 3)
    assert next_epoch(listed, "supernode-2") == (2, 1)


def test_only_a_rotation_of_certificates_may_renew_what_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class SeenError(Exception):
        """Ends the command where it has its workplace."""

    def workplace(environ: Mapping[str, str] = os.environ) -> Any:
        raise SeenError(environ.get("FEDERATION_RENEW"))

    monkeypatch.setattr(operations_cli, "workplace", workplace)
    monkeypatch.delenv("FEDERATION_RENEW", raising=False)
    told = {}
    for words in (("rotate", "server-certificate"), ("rotate", "ca"), ("rotate", "ca", "--renew"), ("rekey", "a/b")):
        with pytest.raises(SeenError) as seen:
            cli.main(list(words))
        told[words] = seen.value.args[0]
    assert list(told.values()) == ["yes", "yes", "yes", None]


def test_times_are_measured_with_the_clock_that_is_given(world: World) -> None:
    ticks = iter(range(100))
    steps = world.rotation(lambda: float(next(ticks))).server_certificate(FEDERATION)
    assert [step.seconds for step in steps] == [1.0, 1.0]
