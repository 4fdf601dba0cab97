"""The nspawn driver: a VM is a container with its image's own root file system, real systemd and a network of its own.

What a real front-end would give the VM is there: the CONTEXT (as the LXC driver binds it, at /context, and where
cloud-init looks for it), the address from the virtual network, OneGate, security groups. It does not have the image's
kernel, boot loader or disks, and isolates less than a virtual machine: root in the guest is root, less capabilities.
Needs root, systemd-nspawn, ip and nft. Guests outlive the zone process; `reattach` finds them again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from zonebox.drivers import process_table as table
from zonebox.drivers.base import DriverError, GuestSpec, GuestState
from zonebox.drivers.commands import Run, run
from zonebox.drivers.first_process import FirstProcess, is_alive
from zonebox.drivers.guest_folder import GuestFolder, GuestRecord
from zonebox.drivers.nspawn_cgroup import make_groups, remove_groups
from zonebox.drivers.nspawn_image import find_root, mount_root, unmount_root
from zonebox.drivers.nspawn_network import DEFAULT_SWITCH, NETNS, NspawnNetwork
from zonebox.drivers.nspawn_relay import Relay
from zonebox.drivers.process import mark_of

OnExit = Callable[[int], None]

TOOLS: Final[Mapping[str, str]] = {
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nft": "nftables",
    "sysctl": "procps",
    "qemu-img": "qemu-utils",
    "sfdisk": "fdisk",
}
"""Program -> Debian package that has it."""
DEFAULT_GRACE_S: Final = 30.0
"""A systemd that stops SuperNode and gateway needs 3-10 s (observed 2026-11-24)."""
_KILL_S: Final = 10.0
_CONTEXT_PLACES: Final = ("/context", "/var/lib/cloud/seed/opennebula")
"""OpenNebula's LXC driver; cloud-init's folder for a CONTEXT that is on no disk."""


@dataclass(eq=False, kw_only=True)
class _Guest:
    spec: GuestSpec
    on_exit: OnExit
    process: FirstProcess | None = None
    stopping: bool = False


class NspawnDriver:
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
        self.grace_s = grace_s
        self._onegate = onegate
        self._switch = switch
        self._run = run_program
        self._guests: dict[int, _Guest] = {}
        self._relays: dict[tuple[str, int], Relay] = {}
        self._endings: set[asyncio.Task[None]] = set()
        # Bridges, the switch and the relay are shared: one guest at a time touches them.
        self._wiring = asyncio.Lock()

    async def start(self, spec: GuestSpec, on_exit: OnExit) -> None:
        """Boot the guest; one that runs already is left alone.

        Raises:
            DriverError: its image, shares, NICs or security groups are wrong, or this machine cannot do it.
        """
        if spec.vm_id in self._guests:
            return
        check_tools()
        guest = self._guests[spec.vm_id] = _Guest(spec=spec, on_exit=on_exit)
        try:
            await self._boot(guest)
        except BaseException:
            del self._guests[spec.vm_id]
            await self._clean(spec)
            raise

    async def _boot(self, guest: _Guest) -> None:
        spec, folder = guest.spec, GuestFolder(guest.spec.folder)
        root = find_root(spec.images)
        binds = [f"{host}:{inside}" for inside, host in spec.shares.items()]
        folder.prepare(spec.context, spec.token, {})
        # A zone process that died between starting this guest and storing it may have left one behind.
        await self._clean(spec)
        async with self._wiring:
            await self._network(spec).connect(spec.vm_id, spec.nics)
            await self._relay_onegate(spec)
        merged = await mount_root(root, folder.path, _cache(spec), self._run)
        binds += [f"{folder.context}:{place}" for place in _CONTEXT_PLACES]
        namespace = self._network(spec).namespace(spec.vm_id)
        joined = make_groups(namespace)
        argv = nspawn_command(spec, root=merged, namespace=NETNS / namespace, binds=binds, groups=joined)
        mark = mark_of(spec)
        child = _spawn(argv, folder, mark)
        folder.write_record(GuestRecord(mark=mark, pid=child.pid, started_ticks=table.started_ticks(child.pid)))
        guest.process = FirstProcess(child.pid, lambda: self._ended(guest), child=child)

    async def stop(self, vm_id: int, *, hard: bool) -> None:
        """Shut the guest down, or end it at once; nothing of it is left but its folder. Unknown guests are no error.

        Raises:
            DriverError: a process survived, or this machine does not let go of a mount or link.
        """
        guest = self._guests.get(vm_id)
        if guest is None:
            return
        guest.stopping = True
        if guest.process is not None and not guest.process.ended.is_set():
            if not hard:
                guest.process.send(signal.SIGTERM)
                hard = not await guest.process.wait(self.grace_s)
            if hard:
                guest.process.send(signal.SIGKILL)
                if not await guest.process.wait(_KILL_S):
                    raise DriverError(
                        f"process {guest.process.pid}: alive {_KILL_S:g} s after SIGKILL, a stopped VM must have none; "
                        "see its state in /proc/PID/status and end what it waits for"
                    )
        await self._clean(guest.spec)
        GuestFolder(guest.spec.folder).forget_record()
        self._let_go(guest)

    async def reattach(self, spec: GuestSpec, on_exit: OnExit) -> GuestState:
        """Find the guest again after the zone process was restarted."""
        if spec.vm_id in self._guests:
            return GuestState.RUNNING
        record, mark = GuestFolder(spec.folder).read_record(), mark_of(spec)
        if record is None or record.pid is None or not is_alive(record, mark):
            await self._clean(spec)
            return GuestState.LOST if record is None or record.mark != mark else GuestState.STOPPED
        guest = self._guests[spec.vm_id] = _Guest(spec=spec, on_exit=on_exit)
        guest.process = FirstProcess(record.pid, lambda: self._ended(guest))
        async with self._wiring:
            await self._relay_onegate(spec)
        return GuestState.RUNNING

    async def close(self) -> None:
        """Let go of all guests without stopping them."""
        for guest in list(self._guests.values()):
            self._let_go(guest)
        for relay in self._relays.values():
            await relay.close()
        self._relays.clear()
        for task in list(self._endings):
            task.cancel()
        await asyncio.gather(*self._endings, return_exceptions=True)

    def _ended(self, guest: _Guest) -> None:
        if not guest.stopping:
            task = asyncio.get_running_loop().create_task(self._power_off(guest))
            self._endings.add(task)
            task.add_done_callback(self._endings.discard)

    async def _power_off(self, guest: _Guest) -> None:
        """The guest ended by itself, or was killed."""
        await self._clean(guest.spec)
        if guest.stopping or self._guests.get(guest.spec.vm_id) is not guest:
            return
        self._let_go(guest)
        guest.on_exit(guest.spec.vm_id)

    async def _clean(self, spec: GuestSpec) -> None:
        """Take away everything that a guest has outside of its folder. Idempotent."""
        network = self._network(spec)
        await network.end_processes(spec.vm_id)
        async with self._wiring:
            await network.disconnect(spec.vm_id, spec.nics)
        await unmount_root(spec.folder, self._run)
        remove_groups(network.namespace(spec.vm_id))

    def _let_go(self, guest: _Guest) -> None:
        if guest.process is not None:
            guest.process.let_go()
        if self._guests.get(guest.spec.vm_id) is guest:
            del self._guests[guest.spec.vm_id]

    async def _relay_onegate(self, spec: GuestSpec) -> None:
        endpoint = urlsplit(spec.context.get("ONEGATE_ENDPOINT", ""))
        if self._onegate is None or not endpoint.hostname:
            return
        listen = (endpoint.hostname, endpoint.port or (443 if endpoint.scheme == "https" else 80))
        if listen in self._relays:
            return
        if not _is_for_guests(listen[0]):
            raise DriverError(
                f"ONEGATE_ENDPOINT {endpoint.geturl()}: its host must be an IPv4 address outside of 127.0.0.0/8, a "
                "guest with a network of its own has another loopback; start the zone with --onegate-host, for "
                "instance 169.254.16.9"
            )
        await self._network(spec).give_address(listen[0])
        relay = Relay(NETNS / self._switch, listen=listen, target=self._onegate)
        await relay.start()
        self._relays[listen] = relay

    def _network(self, spec: GuestSpec) -> NspawnNetwork:
        return NspawnNetwork(spec.zone, switch=self._switch, run_program=self._run)


def nspawn_command(
    spec: GuestSpec, *, root: Path, namespace: Path, binds: Sequence[str], groups: Sequence[Path]
) -> list[str]:
    """What starts a guest: it joins its control groups and becomes systemd-nspawn.

    Args:
        spec: the VM.
        root: its root file system.
        namespace: its network namespace.
        binds: HOST:GUEST of folders that it sees read-only.
        groups: files to write the process id to.
    """
    return [
        # exec keeps the process id, which is in the groups then. Paths are arguments, never part of the script.
        "sh", "-c", 'while [ "$1" != -- ]; do echo $$ > "$1"; shift; done; shift; exec "$@"', "sh",
        *(str(group) for group in groups), "--",
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
        "--boot",
    ]  # fmt: skip


def _spawn(argv: Sequence[str], folder: GuestFolder, mark: str) -> subprocess.Popen[bytes]:
    descriptor = os.open(folder.console, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            argv,
            env={
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                # On a host with both hierarchies, systemd in the guest needs the unified one.
                "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
                table.MARK: mark,
            },
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def check_tools(which: Callable[[str], str | None] = shutil.which, *, user_id: int | None = None) -> None:
    """Refuse where no guest could start.

    Args:
        which: finds a program, for tests.
        user_id: of this process, for tests.

    Raises:
        DriverError: not root, or a program is missing.
    """
    user = os.geteuid() if user_id is None else user_id
    if user != 0:
        raise DriverError(
            f"user id {user}: the nspawn driver needs root, it makes namespaces and mounts; run the zone as root, or "
            "with --driver process"
        )
    missing = sorted({package for program, package in TOOLS.items() if which(program) is None})
    if missing:
        raise DriverError(
            f"not installed: {', '.join(missing)}; the nspawn driver needs {', '.join(TOOLS)}, they make containers "
            f"and networks; apt-get install {' '.join(missing)}"
        )


def _is_for_guests(host: str) -> bool:
    try:
        return not ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _cache(spec: GuestSpec) -> Path:
    """Unpacked disks lie beside the zone's VMs: <state>/vms/<id> -> <state>/nspawn."""
    return spec.folder.parent.parent / "nspawn"
