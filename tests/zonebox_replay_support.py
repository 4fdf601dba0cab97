"""Replays a recorded session with a real oned against a zone, and says where the answers differ.

It adapts requests in three places only: files that the recorded front-end had, ids of VMs that OneFlow made in between
(they are skipped, with everything that shows them), and the passage of time.
"""

from __future__ import annotations

import asyncio
import json
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.zonebox_support import settings_for
from zonebox import template
from zonebox.clock import ManualClock
from zonebox.drivers.fake import FakeDriver
from zonebox.model import nics
from zonebox.model.hosts import DUMMY_PCI, HostSpec
from zonebox.server import reply
from zonebox.settings import Delays
from zonebox.trees import text, vectors
from zonebox.xmltree import parse
from zonebox.zone import SystemRandom, Zone

RECORDING = Path(__file__).parent / "data" / "opennebula" / "oned.jsonl"
_STEP_S = 0.02
_STEPS = 40
_SETTLING_STEPS = 6
_DELAYS = Delays(image_s=0.01, vnet_s=0.01, schedule_s=0.01, prolog_s=0.02, boot_s=0.02, stop_s=0.01)
_MISSING_FILES = ("/var/tmp/one_ref_disk.raw", "/does/not/exist")
_REPEATED = frozenset({"CORE", "NODE", "NUMA_NODE", "HUGEPAGE"})
_CREATES_VM = ("one.vm.allocate", "one.template.instantiate")

# Leaves whose value is time, chance, or what the recorded front-end's dummy drivers and machine say.
FREE_VALUES = frozenset(
    {
        "REGTIME", "MODTIME", "STIME", "ETIME", "PSTIME", "PETIME", "RSTIME", "RETIME", "ESTIME", "EETIME", "TIME",
        "TIMESTAMP", "LAST_POLL", "REQ_ID", "REQUEST_ID", "UUID", "TOKEN_PASSWORD", "PASSWORD", "ENDPOINT",
        "ONEGATE_ENDPOINT", "SOURCE", "PATH", "FORMAT", "DRIVER", "DS_MAD", "TM_MAD", "TM_MAD_SYSTEM", "DEPLOY_ID",
        "SIZE", "ORIGINAL_SIZE", "TOTAL_MB", "FREE_MB", "USED_MB", "SAFE_DIRS", "RESTRICTED_DIRS", "ALLOW_ORPHANS",
        "CLONE_TARGET", "SCHED_MESSAGE", "ERROR", "MODELNAME", "FREE_CPU", "FREE_MEMORY", "USED_CPU", "USED_MEMORY",
        "NETRX", "NETTX", "FREE", "USED", "CPUS", "PAGES", "TOTAL", "USAGE",
    }
)  # fmt: skip
# Elements that are there or not by the clock, or by what monitoring has seen; compared where both have them.
FREE_CONTENT = frozenset({"MONITORING", "NUMA_NODES"})


def recorded() -> Iterator[dict[str, Any]]:
    """The calls, in order."""
    for line in RECORDING.read_text().splitlines():
        yield json.loads(line)


# Line of the recording -> what VMs had written on themselves by then, through OneGate.
_WRITTEN_THROUGH_ONEGATE = {
    21: [{"FL_INFO": "hello world", "READY": "YES"}],
    272: [{"B": "quoted x", "C": "1", "D": "2", "E": "http://x:1/y?z=1", "F": '"{"a":1}"', "LOW": "1"}],
}


# Line of the recording -> calls that must have come before it and are not in it.
_LEFT_OUT: dict[int, list[tuple[Any, ...]]] = {
    603: [("one.vm.detach", 29, 2)],
    613: [("one.vm.detach", 29, 2)],
}


@dataclass
class Outcome:
    """What a replay found."""

    compared: dict[str, int] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)
    differences: dict[int, list[str]] = field(default_factory=dict)


class RecordedRandom(SystemRandom):
    """Random numbers, except for the MACs of the two ranges without IPv4 addresses: the recorded ones."""

    def __init__(self) -> None:
        self._macs = ["f7e770ea", "0a3336c5"]

    def hex(self, size: int) -> str:
        """Four bytes are asked for by ranges only."""
        return self._macs.pop(0) if size == 4 else super().hex(size)


class Replay:
    """One session against one zone.

    Args:
        folder: where the zone keeps its state.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "disk.raw"
        with self.file.open("wb") as handle:
            handle.truncate(1_048_576)
        self.clock = ManualClock()
        self.driver = FakeDriver()
        self.driver.refusals["fail"] = "dummy:fail:dummy"
        host = HostSpec(name="dummy", cores=8, memory_mb=16384, pci=DUMMY_PCI)
        self.zone = Zone(
            settings_for(folder, hosts=(host,), delays=_DELAYS),
            clock=self.clock,
            driver=self.driver,
            random=RecordedRandom(),
        )
        self.outcome = Outcome()
        self.vms: set[int] = set()

    async def run(self) -> Outcome:
        """Replay everything."""
        self.zone.work.start(self.zone.executor.handle)
        for line in recorded():
            why = self._why_not(line)
            if why:
                self.outcome.skipped[line["n"]] = why
                continue
            await self._one(line)
        await self.zone.stop()
        return self.outcome

    def _why_not(self, line: dict[str, Any]) -> str:
        method, params = line["method"], line["params"]
        if method.startswith("one.vm.") and method != "one.vm.allocate" and line["reply"][0]:
            vm_id = params[1] if method == "one.vm.action" else params[0]
            if vm_id not in self.vms:
                return f"VM {vm_id} was made by OneFlow"
        foreign = _vm_ids(line["reply"][1]) - self.vms - {-1}
        if foreign:
            return f"shows VMs {sorted(foreign)} that OneFlow made"
        return ""

    async def _one(self, line: dict[str, Any]) -> None:
        method = line["method"]
        if method in _CREATES_VM and line["reply"][0]:
            # The ids in between went to VMs that OneFlow made.
            self.zone.store.skip_ids("vm", line["reply"][1])
        if "info" not in method:
            # The recorded clients polled until what they had started was done; most of these reads are left out.
            await self._pass_time(_SETTLING_STEPS)
        for call in _LEFT_OUT.get(line["n"], []):
            self._apply(*call)
            await self._pass_time(_SETTLING_STEPS)
        for attributes in _WRITTEN_THROUGH_ONEGATE.get(line["n"], []):
            self.zone.machines.update_user_template(line["params"][0], attributes)
        found = ["never called"]
        for _ in range(_STEPS):
            answer = self._call(line)
            found = list(differences(line["reply"], answer, method))
            if not found or not ("info" in method or self._repaired(line, answer)):
                break
            await self._pass_time(1)
        if method in _CREATES_VM and line["reply"][0]:
            self.vms.add(line["reply"][1])
        self.outcome.compared[method] = self.outcome.compared.get(method, 0) + 1
        if found:
            self.outcome.differences[line["n"]] = found

    def _repaired(self, line: dict[str, Any], answer: list[Any]) -> bool:
        """Do what the recorded clients must have done and the recording lacks: some detaches and terminations.

        Returns:
            Whether it is worth to ask again.
        """
        if answer[0] or not line["reply"][0]:
            return False
        if "Cannot get IP/MAC lease" in answer[1]:
            wanted = template.parse(line["params"][1])
            for nic in nics.all_of(self.zone.machines.info(line["params"][0])["TEMPLATE"]):
                if nic["IP"] in {text(given, "IP") for key in wanted for given in vectors(wanted, key)}:
                    self._apply("one.vm.detachnic", line["params"][0], int(nic["NIC_ID"]))
                    return True
        if "VMs using it" in answer[1] or "leases in use" in answer[1]:
            for vm in self.zone.model.vms.alive():
                self._apply("one.vm.action", "terminate-hard", int(vm["ID"]))
            return True
        return "not available for state" in answer[1]

    def _apply(self, method: str, *params: Any) -> None:
        self.outcome.repairs.append(f"{method}{params!r}")
        self._call({"method": method, "params": list(params)})

    async def _pass_time(self, steps: int) -> None:
        for _ in range(steps):
            await self.clock.advance(_STEP_S)
            await asyncio.sleep(0.001)  # files are copied by a thread that this clock does not move

    def _call(self, line: dict[str, Any]) -> list[Any]:
        user, _, password = self.zone.session.partition(":")
        session = f"{user}:{'wrong' if line.get('session') == 'wrong' else password}"
        params = [self._adapted(param) for param in line["params"]]
        body = xmlrpc.client.dumps((session, *params), line["method"]).encode()
        raw = reply(self.zone.model, self.zone.registry, body)
        values: Any = xmlrpc.client.loads(raw)[0][0]
        if isinstance(values[1], str) and values[1].startswith("<"):
            tag, tree = parse(values[1])
            values[1] = {tag: _first_only(tree)}
        return list(values)

    def _adapted(self, param: Any) -> Any:
        if isinstance(param, str):
            for path in _MISSING_FILES:
                param = param.replace(f'"{path}"', f'"{self.file}"')
        return param


def _first_only(value: Any) -> Any:
    """The tree with one of each element that hosts repeat for every core, as the reduced recordings have it."""
    if isinstance(value, list):
        return [_first_only(item) for item in value]
    if isinstance(value, dict):
        return {
            key: _first_only(item[0] if key in _REPEATED and isinstance(item, list) else item)
            for key, item in value.items()
        }
    return value


def _vm_ids(value: Any, tag: str = "") -> set[int]:
    """Ids of VMs that an answer shows."""
    if isinstance(value, list):
        return {id_ for item in value for id_ in _vm_ids(item, tag)}
    if isinstance(value, dict):
        if tag in {"VMS", "UPDATED_VMS"} and "ID" in value:
            return {int(item) for item in ([value["ID"]] if isinstance(value["ID"], str) else value["ID"])}
        found = {int(value["VM"])} if tag == "LEASE" and "VM" in value else set()
        if tag == "VM" and "ID" in value:
            found.add(int(value["ID"]))
        return found | {id_ for key, item in value.items() for id_ in _vm_ids(item, key)}
    return set()


def differences(want: Any, have: Any, path: str, tag: str = "") -> Iterator[str]:
    """Where an answer differs from the recorded one: types, codes, texts, elements, their order, values."""
    if tag in FREE_CONTENT and (not want or not have):
        return
    if isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        for number, (one, other) in enumerate(zip(want, have, strict=True)):
            yield from differences(one, other, f"{path}[{number}]", tag)
    elif isinstance(want, dict) and isinstance(have, dict):
        if list(want) != list(have):
            missing, extra = [key for key in want if key not in have], [key for key in have if key not in want]
            what = f"missing {missing}, extra {extra}" if missing or extra else f"order {list(have)}"
            yield f"{path}: {what}"
        for key in want:
            if key in have:
                yield from differences(want[key], have[key], f"{path}/{key}", key)
    elif type(want) is not type(have):
        if not (want in ("", {}) and have in ("", {})):
            yield f"{path}: {want!r:.200} was recorded, {have!r:.200} answered"
    elif want != have and tag not in FREE_VALUES:
        yield f"{path}: {want!r:.200} was recorded, {have!r:.200} answered"
