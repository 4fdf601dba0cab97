"""For tests of the appliance's image and of the drivers that boot it: one built image a session, guests, a look inside.

These tests need root and a few Debian packages (mark `image`). Root on Debian gets the missing packages installed; for
everybody else the tests are skipped, with what they would need as the reason.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

from flower_federation.console import Console
from flower_federation.imaging import recipe as recipes
from flower_federation.imaging.building import STEPS
from flower_federation.imaging.cached import cached_image
from flower_federation.imaging.figures import SINK, VARIANT
from flower_federation.imaging.tools import install_command, missing_packages
from pulumi_flower.control import ControlClient
from pulumi_flower.keys import parse_openssh
from tests.appliance_support import (
    FLOWER_BIN,
    REPOSITORY,
    TOKEN,
    Authority,
    FakeOneGate,
    make_authority,
    superlink_values,
    supernode_values,
)
from tests.control_support import operator
from zonebox.drivers.base import DiskSpec, Driver, GuestSpec
from zonebox.drivers.commands import run
from zonebox.drivers.nics import NicSpec, SecurityRule
from zonebox.drivers.nspawn_image import mount_partition
from zonebox.drivers.nspawn_network import NETNS, NspawnNetwork
from zonebox.drivers.nspawn_relay import enter

T = TypeVar("T")
MARKS = [pytest.mark.slow, pytest.mark.image]
"""Marks of every module with tests that boot or build images."""
OPEN = (
    SecurityRule(direction="INBOUND", protocol="ALL"),
    SecurityRule(direction="OUTBOUND", protocol="ALL"),
)
ONEGATE_HOST = "169.254.16.9"
TOOL_S = 900.0
"""Ends a program that hangs. The longest ones install packages or convert an image, and want the disk for it."""
ADMIN = "10.10.1.1"
"""The switch's own address in the guests' network: where the tests act from."""


@cache
def require_tools() -> None:
    """Install the Debian packages that are missing; skip the test where this user or this machine cannot."""
    require_packages(tuple(missing_packages()))


@cache
def require_programs(wanted: tuple[tuple[str, str], ...]) -> None:
    """The same for programs of a test's own.

    Args:
        wanted: (program, or absolute path of something that is installed; Debian package) pairs.
    """
    require_packages(tuple(package for name, package in wanted if not (shutil.which(name) or Path(name).exists())))


def require_packages(missing: tuple[str, ...]) -> None:
    """Install Debian packages; skip the test where this user or this machine cannot."""
    if os.geteuid() != 0:
        pytest.skip(
            f"needs root, it builds images or boots machines (user id now: {os.geteuid()}); run scripts/test as root"
        )
    if not missing:
        return
    if shutil.which("apt-get") is None:
        pytest.skip(f"needs programs of the Debian packages {', '.join(missing)}; install your distribution's own")
    # No service of a package is to be started on this machine: invoke-rc.d starts none in runlevel 1.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    # On Debian a failure here is a failed test: a suite that quietly boots nothing would look as good as one that does.
    for command in (("apt-get", "update", "--quiet"), install_command(list(missing))):
        subprocess.run(command, check=True, timeout=2 * TOOL_S, env=environment, stdout=subprocess.DEVNULL)


def tool(*argv: str | Path) -> str:
    """What a program of this machine prints; it must succeed."""
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=TOOL_S).stdout


@dataclass(frozen=True)
class Appliance:
    """The built image in the user's cache, and its root file system, mounted read-only."""

    image: Path
    root: Path

    def document(self, folder: Path) -> Path:
        """An image for the nspawn driver that uses the root file system as it is, without unpacking it again."""
        folder.mkdir(parents=True, exist_ok=True)
        image = folder / "image.json"
        image.write_text(json.dumps({"format": "zonebox-nspawn/1", "root": str(self.root)}))
        return image


@contextmanager
def opened(image: Path, folder: Path) -> Iterator[Appliance]:
    """The image with its root partition mounted read-only below a folder."""
    raw, root = folder / "disk.raw", folder / "root"
    root.mkdir(parents=True)
    tool("qemu-img", "convert", "-O", "raw", image, raw)
    asyncio.run(mount_partition(raw, root, run))
    try:
        yield Appliance(image, root)
    finally:
        tool("umount", root)
        raw.unlink()


def built_image() -> Path:
    """The cpu variant of this clone, or the one that FL_TEST_VARIANT names, from the user's cache or built now."""
    require_tools()
    return cached_image(
        recipes.load(),
        os.environ.get(VARIANT, "cpu"),
        project=REPOSITORY,
        uv=FLOWER_BIN / "uv",
        environ=os.environ,
        console=Console(stream=sys.stderr, clock=time.monotonic, total=STEPS),
    )


@pytest.fixture(scope="session")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """The image, opened once a session."""
    with opened(built_image(), tmp_path_factory.mktemp("image")) as found:
        yield found


@dataclass
class Guests:
    """VMs of one driver on one network, with a small OneGate; the tests act as the zone and as its administrator."""

    folder: Path
    driver: Driver
    onegate: FakeOneGate
    switch: str
    image: Path
    authority: Authority = field(
        default_factory=lambda: make_authority(start=datetime.now(UTC) - timedelta(hours=1), days=30)
    )
    specs: dict[int, GuestSpec] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)

    @property
    def onegate_port(self) -> int:
        return int(self.onegate.url.rpartition(":")[2])

    def error_of(self, vm_id: int) -> str:
        return self.onegate.error_of(vm_id)

    def address(self, vm_id: int) -> str:
        return f"10.10.1.{10 + vm_id}"

    def superlink(self, **changes: str) -> dict[str, str]:
        """CONTEXT of a SuperLink that is VM 1."""
        values = superlink_values(self.authority, "localhost", "127.0.0.1", self.address(1))
        return {**values, "FL_ADMIN_NETWORKS": f"{ADMIN}/32", **changes}

    def supernode(self, **changes: str) -> dict[str, str]:
        """CONTEXT of a SuperNode of that SuperLink."""
        return {**supernode_values(self.authority, f"{self.address(1)}:9092"), **changes}

    def spec(
        self,
        vm_id: int,
        values: Mapping[str, str],
        *,
        name: str = "",
        shares: Mapping[str, Path] | None = None,
        memory_mb: int = 1024,
        root_mb: int | None = None,
        disks: Sequence[DiskSpec] = (),
    ) -> GuestSpec:
        """A VM as the zone would describe it, with the CONTEXT as NETWORK=YES and TOKEN=YES make it."""
        address, mac = self.address(vm_id), f"02:00:0a:0a:01:{vm_id:02x}"
        context = {
            **values,
            "ETH0_GATEWAY": ADMIN,
            "ETH0_IP": address,
            "ETH0_MAC": mac,
            "ETH0_MASK": "255.255.255.0",
            "ETH0_NETWORK": "10.10.1.0",
            "NETWORK": "YES",
            "ONEGATE_ENDPOINT": f"http://{ONEGATE_HOST}:{self.onegate_port}",
            "SET_HOSTNAME": f"vm{vm_id}",
            "TOKEN": "YES",
            "VMID": str(vm_id),
        }
        self.onegate.names[str(vm_id)] = name or f"supernode_{vm_id}_(service_1)"
        nic = NicSpec(
            nic_id=0, bridge="onebr0", mac=mac, ip=address, mask="255.255.255.0", gateway=ADMIN, rules=OPEN
        )  # fmt: skip
        return GuestSpec(
            vm_id=vm_id,
            zone="lab",
            uuid=str(uuid.uuid4()),
            name=f"vm{vm_id}",
            folder=self.folder / "vms" / str(vm_id),
            context=context,
            token=TOKEN,
            address=address,
            images=tuple(disk.image for disk in disks) or (self.image,),
            disks=tuple(disks),
            shares=dict(shares or {}),
            nics=(nic,),
            memory_mb=memory_mb,
            root_mb=root_mb,
        )

    async def start(self, spec: GuestSpec) -> None:
        self.specs[spec.vm_id] = spec
        await self.driver.start(spec, self.ended.append)

    async def renew(self, vm_id: int, **changes: str) -> None:
        """Give a running guest another CONTEXT."""
        spec = self.specs[vm_id]
        self.specs[vm_id] = replace(spec, context={**spec.context, **changes})
        await self.driver.renew_context(self.specs[vm_id])

    async def register(self, vm_id: int) -> int:
        """Enrol a SuperNode as an operator in the switch; the node's id."""
        key = parse_openssh(base64.b64decode(self.onegate.of(vm_id)["FL_NODE_PUBKEY"]).decode())
        return await self.control(lambda client: client.register_node(key, f"berlin/{vm_id}"))

    async def control(self, call: Callable[[ControlClient], T], *, inside: int | None = None) -> T:
        """Call VM 1's Control API with an operator's certificate, from the switch or from inside of a VM's network."""
        namespace = self.switch if inside is None else f"{self.switch}-lab-{inside}"

        def work() -> T:
            enter(NETNS / namespace)
            return call(ControlClient(f"{self.address(1)}:9093", self.authority.pem, identity=operator()))

        # The thread stays in the namespace, so it is one of its own.
        with ThreadPoolExecutor(max_workers=1) as alone:
            return await asyncio.get_running_loop().run_in_executor(alone, work)

    def console(self, vm_id: int) -> str:
        path = self.specs[vm_id].folder / "console.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def eventually(self, vm_id: int, timeout_s: float, **wanted: str) -> dict[str, str]:
        """The VM's attributes, once they include `wanted`."""

        def look() -> bool:
            found = self.onegate.of(vm_id)
            return all(found.get(key) == value for key, value in wanted.items())

        try:
            await eventually(look, f"VM {vm_id}: {wanted}", timeout_s)
        except AssertionError as error:
            shown = {key: value[:60] for key, value in self.onegate.of(vm_id).items()}
            what = f"{error}\n{shown}\n{self.onegate.error_of(vm_id)}\n{self.console(vm_id)[-3000:]}"
            raise AssertionError(what) from None
        return self.onegate.of(vm_id)


@asynccontextmanager
async def guests_of(
    folder: Path, image: Path, make_driver: Callable[[tuple[str, int], str], Driver]
) -> AsyncIterator[Guests]:
    """Guests that are gone afterwards, with their networks, whatever the test did.

    Args:
        folder: for everything that they leave.
        image: what they boot.
        make_driver: from OneGate's address and the switch's name.
    """
    switch = f"zbtest{uuid.uuid4().hex[:6]}"
    with FakeOneGate() as onegate:
        driver = make_driver(("127.0.0.1", int(onegate.url.rpartition(":")[2])), switch)
        guests = Guests(folder, driver, onegate, switch, image)
        try:
            yield guests
        finally:
            for vm_id in guests.specs:
                await guests.driver.stop(vm_id, hard=True)
            await guests.driver.close()
            await NspawnNetwork("lab", switch=switch).remove_switch()


async def eventually(condition: Callable[[], object], what: str, timeout_s: float) -> None:
    """Wait until a condition holds, or a coroutine says that it does; fail with `what` after a deadline."""
    deadline = time.monotonic() + timeout_s
    while not (await found if inspect.isawaitable(found := condition()) else found):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        await asyncio.sleep(0.1)


def record(driver: str, role: str, ready_s: float, *, firmware: str = "none", memory_mib: int | None = None) -> None:
    """Tell `scripts/image figures` of a boot, where it asked."""
    if sink := os.environ.get(SINK):
        seen = {
            "driver": driver, "firmware": firmware, "role": role,
            "ready_s": round(ready_s, 1), "memory_mib": memory_mib,
        }  # fmt: skip
        with Path(sink).open("a", encoding="utf-8") as file:
            file.write(json.dumps(seen) + "\n")


class Inside:
    """A container guest seen from within, through its namespaces."""

    def __init__(self, guests: Guests, vm_id: int) -> None:
        record = json.loads((guests.specs[vm_id].folder / "guest.json").read_text())
        children = Path(f"/proc/{record['pid']}/task/{record['pid']}/children").read_text().split()
        self._prefix = ["nsenter", "--target", children[0], *("--mount", "--uts", "--ipc", "--net", "--pid"), "--"]

    def run(self, *argv: str, check: bool = True) -> str:
        """What a program in the guest prints."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(
            [*self._prefix, *argv], env=environment, capture_output=True, text=True, timeout=TOOL_S, check=False
        )
        assert done.returncode == 0 or not check, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def pid_of(self, unit: str) -> str:
        """Main process of a unit."""
        return self.run("systemctl", "show", "--property=MainPID", "--value", unit)
