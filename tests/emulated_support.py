"""A VM of a zone in a process of its own with the qemu driver: registered, instantiated, asked and stopped by XML-RPC.

Nothing here calls the driver. The tests act as the zone's administrator and, over SSH, as the guest's.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.appliance_support import b64
from tests.image_support import eventually, tool
from tests.patience import PATIENCE_S
from tests.zonebox_support import ZoneProcess, call, client, settings_for, start_process
from zonebox.drivers.nspawn_network import NETNS
from zonebox.drivers.nspawn_relay import enter
from zonebox.drivers.qemu import DEFAULT_GRACE_S
from zonebox.model.states import Lcm, Vm

ADDRESS, GATEWAY = "10.10.2.10", "10.10.2.1"
"""The VM's, and the switch's own on the same network."""
OPEN_PORTS = "22,9092"
"""What the VM's security group lets in."""
ONEGATE_HOST = "169.254.16.10"
MEMORY_MB = 1024
"""As the committed stacks give a SuperLink."""
DISK_MB = 3072
_POWEROFF_S = DEFAULT_GRACE_S + PATIENCE_S
"""The driver gives a guest the first of them."""
NO_ANSWER_S = 3.0
"""After which a connection counts as dropped, where nothing must answer."""
_FAILED = (int(Lcm.BOOT_FAILURE), int(Lcm.PROLOG_FAILURE))


def volume(folder: Path, label: str, size_mib: int, files: Mapping[str, str]) -> Path:
    """A file system with a label, as a zone's administrator makes a data volume."""
    source, disk = folder / f"{label}-files", folder / f"{label}.img"
    source.mkdir()
    for name, text in files.items():
        (source / name).write_text(text)
    tool("/usr/sbin/mkfs.ext4", "-q", "-L", label, "-m", "0", "-d", source, disk, f"{size_mib}M")
    return disk


@dataclass(frozen=True, kw_only=True)
class Disk:
    """An image of the zone, and a disk of the VM."""

    path: Path
    kind: str = "DATABLOCK"
    persistent: bool = False
    size_mb: int | None = None


class EmulatedVm:
    """The VM.

    Args:
        zone: its zone.
        switch: network namespace with its network.
        key: private SSH key whose public half its CONTEXT has.
    """

    def __init__(self, zone: ZoneProcess, switch: str, key: Path) -> None:
        self.zone = zone
        self.switch = switch
        self._key = key
        self._one = client(zone)
        self.id = -1

    async def create(self, name: str, context: Mapping[str, str], *, firmware: str, disks: tuple[Disk, ...]) -> None:
        """Register network, security group, images and template, and instantiate it."""
        one, own = self._one, {"NETWORK": "YES", "TOKEN": "YES", "SSH_PUBLIC_KEY": public(self._key)}
        trust = {"FL_ONEGATE_CA": b64(self.zone.endpoints.ca.read_text())}
        inbound = f'RULE=[PROTOCOL="TCP",RULE_TYPE="inbound",RANGE="{OPEN_PORTS}"]'
        rules = f'NAME="few"\n{inbound}\nRULE=[PROTOCOL="ALL",RULE_TYPE="outbound"]'
        group = await call(one.secgroup.allocate, rules)
        # A network's own groups are added to a NIC's, and without any it has the one that lets everything pass.
        network = f'NAME="n"\nVN_MAD="bridge"\nBRIDGE="onebr1"\nGATEWAY="{GATEWAY}"\nSECURITY_GROUPS="{group}"\n'
        await call(one.vn.allocate, f'{network}AR=[TYPE="IP4",IP="{ADDRESS}",SIZE="1"]', -1)
        lines = [
            *(f'CPU="1"\nVCPU="1"\nMEMORY="{MEMORY_MB}"', f'OS=[FIRMWARE="{firmware.upper()}"]'),
            'NIC=[NETWORK_ID="0"]',
            f"CONTEXT=[{vector({**context, **own, **trust, 'SET_HOSTNAME': 'emulated'})}]",
        ]
        for number, disk in enumerate(disks):
            persistent = "YES" if disk.persistent else "NO"
            image = (
                f'NAME="i{number}"\nTYPE="{disk.kind}"\nPATH="{disk.path}"\nPERSISTENT="{persistent}"\nDEV_PREFIX="vd"'
            )
            found = await call(one.image.allocate, image, 1)
            await eventually(
                lambda found=found: one.image.info(found).STATE == 1, f"image {number} is READY", PATIENCE_S
            )
            lines.append(f'DISK=[IMAGE_ID="{found}"' + (f',SIZE="{disk.size_mb}"]' if disk.size_mb else "]"))
        template = await call(one.template.allocate, "\n".join(['NAME="t"', *lines]))
        self.id = await call(one.template.instantiate, template, name, False, "", False)

    async def info(self) -> Any:
        """The VM as one.vm.info has it."""
        return await call(self._one.vm.info, self.id)

    async def attributes(self) -> dict[str, str]:
        """What the guest has published through OneGate."""
        return dict((await self.info()).USER_TEMPLATE)

    async def until(self, timeout_s: float, **wanted: str) -> dict[str, str]:
        """The VM's attributes, once they include `wanted`; fails at once where the guest could not be started."""

        async def look() -> bool:
            vm = await self.info()
            assert vm.LCM_STATE not in _FAILED, dict(vm.USER_TEMPLATE)
            return all(vm.USER_TEMPLATE.get(name) == value for name, value in wanted.items())

        try:
            await eventually(look, f"VM {wanted}", timeout_s)
        except AssertionError as error:
            found = await self.attributes()
            shown = {name: value[:60] for name, value in found.items()}
            reason = base64.b64decode(found.get("FL_ERROR", "")).decode()
            raise AssertionError(f"{error}\n{shown}\n{reason}\n{self.console()[-3000:]}") from None
        return await self.attributes()

    async def change_context(self, **values: str) -> None:
        """one.vm.updateconf with these variables, merged; the guest runs on."""
        await call(self._one.vm.updateconf, self.id, f"CONTEXT=[{vector(values)}]", 1)

    async def run(self, command: str) -> str:
        """What a command in the guest prints, given over SSH."""
        argv = [
            *("ip", "netns", "exec", self.switch, "ssh", "-i", str(self._key), "-o", "BatchMode=yes"),
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
            f"root@{ADDRESS}",
        ]
        done = await asyncio.to_thread(
            subprocess.run, [*argv, command], capture_output=True, text=True, timeout=2 * PATIENCE_S, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    async def answer_at(self, port: int, *, wait_s: float = PATIENCE_S) -> str:
        """What a connection from the switch meets: open, closed (refused by the guest) or dropped (no answer)."""

        def work() -> str:
            enter(NETNS / self.switch)
            try:
                socket.create_connection((ADDRESS, port), timeout=wait_s).close()
            except TimeoutError:
                return "dropped"
            except ConnectionRefusedError:
                return "closed"
            return "open"

        # The thread stays in the namespace, so it is one of its own.
        with ThreadPoolExecutor(max_workers=1) as alone:
            return await asyncio.get_running_loop().run_in_executor(alone, work)

    def console(self) -> str:
        """What the guest printed on its serial line."""
        path = self.zone.settings.state / "vms" / str(self.id) / "console.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def power_off(self) -> None:
        """Have the zone shut it down."""
        await call(self._one.vm.action, "poweroff", self.id)

        async def is_off() -> bool:
            return bool((await self.info()).STATE == Vm.POWEROFF)

        await eventually(is_off, "the zone says POWEROFF", _POWEROFF_S)

    async def remove(self) -> None:
        """End it however it is, so that nothing of it outlives the test."""
        if self.id >= 0:
            await call(self._one.vm.action, "terminate-hard", self.id)

            async def is_gone() -> bool:
                return bool((await self.info()).STATE == Vm.DONE)

            await eventually(is_gone, "the VM is DONE", PATIENCE_S)


@asynccontextmanager
async def emulated_vm(folder: Path, switch: str, key: Path) -> AsyncIterator[EmulatedVm]:
    """A zone with the qemu driver and a VM to be created; both are gone afterwards, whatever the test did."""
    settings = settings_for(folder, driver="qemu", switch=switch, onegate_host=ONEGATE_HOST, plain_http=False)
    zone = await call(start_process, settings)
    vm = EmulatedVm(zone, switch, key)
    try:
        try:
            yield vm
        finally:
            await vm.remove()
    finally:
        await call(zone.end)


def public(key: Path) -> str:
    """The public half of an SSH key."""
    return key.with_suffix(".pub").read_text().strip()


def vector(values: Mapping[str, str]) -> str:
    """Attributes as OpenNebula's templates write them; none of the tests' has a quotation mark."""
    return ",".join(f'{name}="{value}"' for name, value in values.items())
