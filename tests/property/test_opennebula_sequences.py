"""Random sequences of what people do with the provider, on a zonebox: they end with a state that is the cloud's.

Programs change, commands run, calls fail on purpose, somebody else changes and deletes objects, objects are adopted.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from pulumi.provider.experimental import provider as sdk

from pulumi_opennebula.errors import OpenNebulaError, RefusedError
from pulumi_opennebula.provider.client.oned import Oned
from pulumi_opennebula.provider.engine import OpenNebulaProvider
from pulumi_opennebula.provider.registry import HANDLERS
from pulumi_opennebula.provider.resources.machine_states import Phase as MachinePhase
from pulumi_opennebula.provider.resources.machine_states import phase_of
from pulumi_opennebula.provider.resources.service_states import FAILED, RUNNING, WARNING
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.values import UNREAD, wrapped
from pulumi_opennebula.provider.zone import Zone
from tests.opennebula_in_process import RushingClock, hurried
from tests.opennebula_programs import (
    SLOTS,
    change_behind_the_back,
    delete_behind_the_back,
    inputs_of,
    needs_of,
    program_of,
)
from tests.opennebula_small_engine import EngineError, Entry, SmallEngine, bare
from tests.patience import AT_ONCE_S, PATIENCE_S
from zonebox.embedded import QUICK, EmbeddedZone
from zonebox.loopback import free_address
from zonebox.settings import Settings

READS = frozenset({"info", "infoextended", "infoset", "version"})
EVERY = (-2, -1, -1)
OPTIONAL = sorted(name for name, slot in SLOTS.items() if not slot.always)
FAULTS = [
    ("one.*.allocate", "fail"),
    ("one.*.update", "fail"),
    ("one.*.delete", "fail"),
    ("one.*.rename", "drop"),
    ("one.*.chmod", "fail"),
    ("one.*.chown", "lose"),
    ("one.*.info", "fail"),
    ("one.*.info", "drop"),
    ("one.vn.*", "fail"),
    ("one.vm.*", "drop"),
    ("one.image.*", "fail"),
    ("oneflow GET *", "fail"),
    ("oneflow POST *", "fail"),
    ("oneflow DELETE *", "drop"),
    ("oneflow P*", "drop"),
    ("prolog *", "fail"),
    ("boot *", "fail"),
    ("hotplug *", "fail"),
    ("stop *", "fail"),
]


class Sequences(RuleBasedStateMachine):
    """One zone, one stack, and whoever works with them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sequences-"))
        zone_settings = Settings(
            name="seq",
            state=self.folder,
            address=free_address(),
            driver="fake",
            plain_http=True,
            delays=QUICK,
            control=True,
        )
        self.zone = EmbeddedZone(zone_settings, clock=RushingClock())
        self.zone.__enter__()
        self.settings = ZoneSettings(
            endpoint=self.zone.endpoints.oned,
            flow_endpoint=self.zone.endpoints.oneflow,
            username=self.zone.username,
            password=self.zone.password,
            request_timeout_s=PATIENCE_S,
        )
        self.loop = asyncio.new_event_loop()
        self.engine = SmallEngine(self.connect)
        self.chosen: dict[str, dict[str, Any]] = {}
        self.first = self.objects()

    async def connect(self) -> OpenNebulaProvider:
        provider = OpenNebulaProvider(environment={}, make_zone=lambda found: Zone(found, pause=hurried))
        values = {
            "endpoint": self.settings.endpoint,
            "flowEndpoint": self.settings.flow_endpoint,
            "username": self.settings.username,
            "password": self.settings.password,
        }
        await provider.configure(sdk.ConfigureRequest({}, wrapped(values, frozenset()), True, True))
        return provider

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, PATIENCE_S))

    def oned(self, method: str, *arguments: Any) -> Any:
        return self.run(Oned(self.settings).call(method, *arguments))

    def flow(self, method: str, path: str, body: Any = None) -> Any:
        credentials = (self.settings.username, self.settings.password)
        url = f"{self.settings.flow_endpoint}{path}"
        answer = requests.request(method, url, json=body, auth=credentials, timeout=PATIENCE_S)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def objects(self) -> dict[str, set[str]]:
        """Ids of every object of the zone, by pool; VMs that are done stay in their pool and are left out."""
        model = self.zone.zone.model
        pools = (model.secgroups, model.vnets, model.images, model.templates, model.vmgroups, model.markets)
        found = {pool.kind.key: pool.everything for pool in (*pools, model.apps, model.documents)}
        found["vm"] = model.vms.alive
        return {name: {tree["ID"] for tree in self.zone.call(every)} for name, every in found.items()}

    # -- programs --------------------------------------------------------------------------------------------------

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        for name, slot in SLOTS.items():
            if slot.always:
                self.chosen[name] = data.draw(inputs_of(name), label=name)
        self.up()

    @rule(data=st.data(), names=st.lists(st.sampled_from(OPTIONAL), min_size=1, max_size=3, unique=True))
    def add_or_change(self, data: st.DataObject, names: list[str]) -> None:
        for name in names:
            self._choose(data, name)

    def _choose(self, data: st.DataObject, name: str) -> None:
        for needed in sorted(needs_of(name)):
            if needed not in self.chosen:
                self._choose(data, needed)
        self.chosen[name] = data.draw(inputs_of(name), label=name)

    @rule(data=st.data())
    def change(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.chosen)), label="which")
        self.chosen[name] = data.draw(inputs_of(name), label=name)

    @rule(name=st.sampled_from(OPTIONAL))
    def remove(self, name: str) -> None:
        self.chosen.pop(name, None)
        for other in list(self.chosen):
            if name in needs_of(other):
                self.remove(other)

    # -- commands --------------------------------------------------------------------------------------------------

    @rule()
    def up(self) -> None:
        steps = self.run(self.engine.up(program_of(self.chosen)))
        note(f"up: {steps}")

    @rule()
    def up_and_nothing_is_left_to_do(self) -> None:
        self.up()
        self.require_unchanged()

    @rule()
    def preview(self) -> None:
        self.zone.control.reset_counts()
        note(f"preview: {self.run(self.engine.preview(program_of(self.chosen)))}")
        asked = self.zone.control.counts()
        changing = [name for name in asked if name.startswith("one.") and name.rsplit(".", 1)[1] not in READS]
        changing += [name for name in asked if name.startswith("oneflow ") and not name.startswith("oneflow GET")]
        assert changing == []

    @rule()
    def refresh(self) -> None:
        self.let_it_come_to_rest()
        # What could not be read when it was made or changed, a refresh reads for the first time.
        known = [name for name, entry in self.engine.state.items() if UNREAD not in bare(entry.outputs)]
        before = {name: meaning(self.engine.state[name]) for name in known}
        self.run(self.engine.refresh())
        after = {name: meaning(self.engine.state[name]) for name in known}
        assert after == before, "nobody has changed anything"

    def let_it_come_to_rest(self) -> None:
        """What a cancelled or failed `up` set going ends by itself, one way or another."""
        end = time.monotonic() + PATIENCE_S
        while any(under_way(entry) for entry in self.engine.state.values()):
            assert time.monotonic() < end, "an object stays on its way"
            self.run(self.engine.refresh())

    @rule(fault=st.sampled_from(FAULTS), times=st.integers(1, 3), skip=st.integers(0, 2))
    def up_with_a_fault(self, fault: tuple[str, str], times: int, skip: int) -> None:
        pattern, effect = fault
        getattr(self.zone.control, effect)(pattern, times=times, skip=skip)
        try:
            note(f"up with a fault: {self.run(self.engine.up(program_of(self.chosen)))}")
        except (EngineError, OpenNebulaError) as error:
            note(f"up with a fault failed: {error}")
        self.zone.control.clear()

    @rule()
    def up_that_is_cancelled(self) -> None:
        self.zone.control.hang("boot *")
        note(f"cancelled up: {self.run(self.cancelled_up())}")
        self.zone.control.clear()

    async def cancelled_up(self) -> str:
        """Start an `up`, cancel it once a guest hangs in its boot, and see it end at once."""
        going = asyncio.create_task(self.engine.up(program_of(self.chosen)))
        while not going.done():
            (fault,) = await asyncio.to_thread(self.zone.control.faults)
            if fault.met and self.engine.provider is not None:
                await self.engine.provider.cancel()
                await asyncio.wait({going}, timeout=AT_ONCE_S)
                assert going.done(), "the provider goes on after it was cancelled"
            await asyncio.sleep(0.01)
        return str(going.exception() or going.result())

    # -- somebody else ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.engine.state)
    @rule(data=st.data())
    def somebody_changes(self, data: st.DataObject) -> None:
        self.up()
        self.changes(data.draw(st.sampled_from(sorted(self.engine.state)), label="whose"))

    def changes(self, name: str) -> None:
        entry = self.engine.state[name]
        self.unlock(entry)
        change_behind_the_back(SLOTS[name].kind, entry.id, bare(entry.inputs), self.oned, self.flow)
        assert self.run(self.engine.refresh())[name] == "changed"
        assert self.run(self.engine.preview(program_of(self.chosen)))[name] == "update"

    @precondition(lambda self: self.engine.state)
    @rule(data=st.data())
    def somebody_deletes(self, data: st.DataObject) -> None:
        self.up()
        kept = {"serviceContext"}
        if "service" in self.engine.state:
            # A service that runs keeps the number of its VM template: without it OneFlow cannot scale, whoever asks.
            kept.add("template")
        names = [name for name in self.engine.state if SLOTS[name].kind not in kept]
        self.deletes(data.draw(st.sampled_from(sorted(names)), label="whose"))

    def deletes(self, name: str) -> None:
        entry = self.engine.state[name]
        self.unlock(entry)
        try:
            delete_behind_the_back(SLOTS[name].kind, entry.id, self.oned, self.flow)
        except RefusedError as error:
            note(f"not deleted: {error}")
            return
        end = time.monotonic() + PATIENCE_S
        while self.run(self.engine.refresh()).get(name, "gone") != "gone":
            assert time.monotonic() < end, f"{name} {entry.id} is not gone"
        assert self.run(self.engine.preview(program_of(self.chosen)))[name] == "create"

    @precondition(lambda self: self.engine.state)
    @rule(data=st.data())
    def adopt(self, data: st.DataObject) -> None:
        self.up()
        self.adopts(data.draw(st.sampled_from(sorted(self.engine.state)), label="which"))

    def adopts(self, name: str) -> None:
        entry = self.engine.state.pop(name)
        program = program_of(self.chosen)
        self.run(self.engine.import_(name, program[name], entry.id))
        assert self.run(self.engine.preview(program))[name] == "same"
        self.up()
        # The import spelled everything as OpenNebula does; with the program's inputs beside it, a read spells as that.
        self.run(self.engine.refresh())

    def unlock(self, entry: Entry) -> None:
        methods = {"image": "image", "template": "template", "marketplaceAppliance": "marketapp"}
        kind = entry.token.split("/")[1].split(":")[0]
        if kind in methods and bare(entry.outputs).get("lock", "UNLOCK") != "UNLOCK":
            self.oned(f"{methods[kind]}.unlock", int(entry.id))

    # -- the end ---------------------------------------------------------------------------------------------------

    def require_unchanged(self) -> None:
        steps = self.run(self.engine.preview(program_of(self.chosen)))
        assert set(steps.values()) <= {"same"}, steps
        self.refresh()

    def teardown(self) -> None:
        try:
            self.zone.control.clear()
            self.up()
            self.require_unchanged()
            self.run(self.engine.destroy())
            left = {pool: ids - self.first[pool] for pool, ids in self.objects().items()}
            assert not any(left.values()), left
        finally:
            self.zone.__exit__(None, None, None)
            self.loop.close()
            shutil.rmtree(self.folder, ignore_errors=True)


def meaning(entry: Entry) -> Any:
    """An entry's outputs, as far as they mean anything to OpenNebula or to a program.

    Absence is as good as emptiness, and the order of addresses on hold is nobody's. Ranges that are resources of their
    own, and their holds, appear in their network when it is read next.
    """
    outputs = bare(entry.outputs)
    if entry.token.endswith(":VirtualNetwork"):
        for shared in {"ars", "holdIps"} - {name for name, value in bare(entry.inputs).items() if value}:
            outputs.pop(shared, None)
    return _bare_meaning(outputs)


def under_way(entry: Entry) -> bool:
    """Whether the state shows a VM or service that changes without anybody's doing."""
    outputs = bare(entry.outputs)
    if entry.token.endswith(":VirtualMachine"):
        body = {"STATE": str(outputs.get("state", "")), "LCM_STATE": str(outputs.get("lcmstate", ""))}
        return outputs.get("state") is not None and phase_of(body) is MachinePhase.BUSY
    state = outputs.get("state")
    return entry.token.endswith(":Service") and state not in {None, RUNNING, WARNING, *FAILED}


def _bare_meaning(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare_meaning(item) for key, item in value.items() if item not in (None, "", [], {})}
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return sorted(value)
    return [_bare_meaning(item) for item in value] if isinstance(value, list) else value


Sequences.TestCase.settings = settings(
    max_examples=int(os.environ.get("OPENNEBULA_SEQUENCES", "8")),
    # The same eight in every run; whoever asks for another number looks for new ones.
    derandomize="OPENNEBULA_SEQUENCES" not in os.environ,
    stateful_step_count=15,
    deadline=None,
    # Each step takes real time: what fails is told with all its steps instead of being made smaller.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
TestSequences = pytest.mark.slow(Sequences.TestCase)


def test_every_resource_type_takes_part() -> None:
    kinds = {f"opennebula:index/{slot.kind}:{slot.kind[0].upper()}{slot.kind[1:]}" for slot in SLOTS.values()}
    assert kinds == set(HANDLERS)
