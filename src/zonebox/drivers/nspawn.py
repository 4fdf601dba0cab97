"""The nspawn driver: a VM is a container with its image's own root file system, real systemd and a network of its own.

What a real front-end would give the VM is there: the CONTEXT (as the LXC driver binds it, at /context, and where
cloud-init looks for it), the address from the virtual network (set by the driver, as cloud-init configures no NIC of a
container), OneGate, security groups, further disks as loop devices. It does not have the image's kernel or boot loader,
and isolates less than a virtual machine: root in the guest is root, less capabilities.
Needs root, systemd-nspawn, ip and nft. Guests outlive the zone process; `reattach` finds them again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from zonebox.drivers import process_table as table
from zonebox.drivers.base import DriverError, GuestSpec
from zonebox.drivers.commands import Run, run
from zonebox.drivers.guest_folder import GuestFolder
from zonebox.drivers.machine_driver import Guest, MachineDriver
from zonebox.drivers.nics import DEFAULT_SWITCH
from zonebox.drivers.nspawn_cgroup import make_groups, remove_groups
from zonebox.drivers.nspawn_disks import drop_devices, forget_detached, make_devices, place_of, root_and_others
from zonebox.drivers.nspawn_image import find_root, mount_root, unmount_root
from zonebox.drivers.nspawn_network import NETNS
from zonebox.drivers.nspawn_wiring import Wiring

TOOLS: Final[Mapping[str, str]] = {
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "nft": "nftables",
    "sysctl": "procps",
    "qemu-img": "qemu-utils",
    "sfdisk": "fdisk",
    "losetup": "mount",
    "blkid": "util-linux",
}
"""Program -> Debian package that has it."""
DEFAULT_GRACE_S: Final = 30.0
"""A systemd that stops SuperNode and gateway needs 3-10 s (observed 2026-11-24)."""
_CONTEXT_PLACES: Final = ("/context", "/var/lib/cloud/seed/opennebula")
"""OpenNebula's LXC driver; cloud-init's folder for a CONTEXT that is on no disk."""


class NspawnDriver(MachineDriver):
    """Runs VMs as containers.

    Args:
        onegate: address and port of the zone's OneGate on the host, where guests' requests to ONEGATE_ENDPOINT end up;
            None: guests reach ONEGATE_ENDPOINT by themselves, or not at all.
        switch: network namespace that holds the bridges.
        grace_s: seconds that a guest has to shut down before it is ended.
        run_program: runs system programs.
    """

    name = "nspawn"

    def __init__(
        self,
        *,
        onegate: tuple[str, int] | None = None,
        switch: str = DEFAULT_SWITCH,
        grace_s: float = DEFAULT_GRACE_S,
        run_program: Run = run,
    ) -> None:
        super().__init__(grace_s=grace_s)
        self._run = run_program
        self._wiring = Wiring(onegate=onegate, switch=switch, run_program=run_program)

    def check(self) -> None:
        """Refuse where no guest could start. Raises DriverError."""
        check_tools("nspawn", TOOLS)

    async def launch(self, spec: GuestSpec, mark: str) -> subprocess.Popen[bytes]:
        """Connect, mount, and start systemd-nspawn. Raises DriverError."""
        folder = GuestFolder(spec.folder)
        root = find_root(spec.images)
        booted, others = root_and_others(spec.disks)
        await asyncio.to_thread(forget_detached, folder.path, spec.disks)
        namespace = await self._wiring.connect(spec)
        merged = await mount_root(root, folder.path, _cache(spec), self._run, writes=place_of(booted))
        devices = await make_devices(others, folder.path, self._run)
        binds = [f"{host}:{inside}" for inside, host in spec.shares.items()]
        binds += [f"{folder.context}:{place}" for place in _CONTEXT_PLACES]
        groups = make_groups(namespace)
        argv = nspawn_command(
            spec, root=merged, namespace=NETNS / namespace, binds=binds, groups=groups, devices=devices
        )
        # On a host with both hierarchies of control groups, systemd in the guest needs the unified one.
        return spawn(argv, folder, {table.MARK: mark, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})

    async def found(self, spec: GuestSpec) -> None:
        """A running guest was found again: OneGate is relayed to it once more."""
        await self._wiring.relay_onegate(spec)

    async def show_context(self, spec: GuestSpec) -> None:
        """The guest has the folder itself: it sees what is in it now."""

    async def ask(self, guest: Guest) -> None:
        """systemd-nspawn hands SIGTERM on as the signal that makes systemd power off."""
        if guest.process is not None:
            guest.process.send(signal.SIGTERM)

    async def clean(self, spec: GuestSpec) -> None:
        """End leftovers, and remove network, mounts and control groups. Idempotent."""
        await self._wiring.disconnect(spec)
        await unmount_root(spec.folder, self._run)
        await remove_groups(self._wiring.namespace(spec))
        await drop_devices(spec.disks, spec.folder, self._run)

    async def close(self) -> None:
        """Let go of all guests without stopping them."""
        await super().close()
        await self._wiring.close()


def nspawn_command(
    spec: GuestSpec,
    *,
    root: Path,
    namespace: Path,
    binds: Sequence[str],
    groups: Sequence[Path],
    devices: Sequence[str] = (),
) -> list[str]:
    """What starts a guest: it joins its control groups and becomes systemd-nspawn.

    Args:
        spec: the VM.
        root: its root file system.
        namespace: its network namespace.
        binds: HOST:GUEST of folders that it sees read-only.
        groups: files to write the process id to.
        devices: HOST:GUEST of device nodes of its disks.
    """
    return [
        # exec keeps the process id, which is in the groups then. Paths are arguments, never part of the script.
        "sh", "-c", 'while [ "$1" != -- ]; do echo $$ > "$1"; shift; done; shift; exec "$@"', "sh",
        *(str(group) for group in groups), "--",
        # systemd-nspawn mounts the guest's /sys before it enters the namespace (252, 2026-11-24), and would show the
        # host's NICs there: so it starts in the namespace already.
        "nsenter", f"--net={namespace}",
        "systemd-nspawn",
        "--quiet",
        f"--directory={root}",
        f"--machine={namespace.name}",
        f"--uuid={spec.uuid}",
        f"--network-namespace-path={namespace}",
        "--capability=CAP_NET_ADMIN",
        "--register=no",
        "--keep-unit",
        "--settings=no",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--console=pipe",
        *(f"--bind-ro={bind}" for bind in binds),
        *(f"--bind={device}" for device in devices),
        "--boot",
    ]  # fmt: skip


def spawn(argv: Sequence[str], folder: GuestFolder, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a guest's first process, in a session of its own, with its output in the VM's console."""
    descriptor = os.open(folder.console, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            argv,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **environment},
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def check_tools(
    driver: str,
    tools: Mapping[str, str],
    which: Callable[[str], str | None] = shutil.which,
    *,
    user_id: int | None = None,
) -> None:
    """Refuse where no guest could start.

    Args:
        driver: name of the driver.
        tools: program -> Debian package that has it.
        which: finds a program, for tests.
        user_id: of this process, for tests.

    Raises:
        DriverError: not root, or a program is missing.
    """
    user = os.geteuid() if user_id is None else user_id
    if user != 0:
        raise DriverError(
            f"user id {user}: the {driver} driver needs root, it makes namespaces and mounts; run the zone as root, or "
            "with --driver process"
        )
    missing = sorted({package for program, package in tools.items() if which(program) is None})
    if missing:
        raise DriverError(
            f"not installed: {', '.join(missing)}; the {driver} driver needs {', '.join(tools)}, they make guests and "
            f"networks; apt-get install {' '.join(missing)}"
        )


def _cache(spec: GuestSpec) -> Path:
    """Unpacked disks lie beside the zone's VMs: <state>/vms/<id> -> <state>/nspawn."""
    return spec.folder.parent.parent / "nspawn"
