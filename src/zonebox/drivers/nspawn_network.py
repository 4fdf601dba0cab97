"""Bridges, links and firewalls of guests, in network namespaces of the driver's own. It adds nothing to the host's own
network: no address, no route, no interface.

One namespace is the switch: it holds the bridges of all zones of this machine, forwards between them, and has each
network's gateway address. Each guest has a namespace of its own, with one link into the switch per NIC. To be on these
networks, run a program as `ip netns exec <switch> PROGRAM`.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import signal
from pathlib import Path

from zonebox.drivers.base import DriverError
from zonebox.drivers.commands import Run, run
from zonebox.drivers.nics import DEFAULT_SWITCH, NicSpec
from zonebox.drivers.nspawn_firewall import removal, ruleset

NETNS = Path("/run/netns")
_SWITCH_SETTINGS = (
    "net.ipv4.ip_forward=1",
    # Bridged traffic passes the IP hooks too, where connection tracking works (there is none for bridges here).
    "net.bridge.bridge-nf-call-iptables=1",
)


def short_name(prefix: str, *parts: object) -> str:
    """A name of at most 15 characters, the kernel's limit for interfaces, that differs where the parts do."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).hexdigest()
    return f"{prefix}{digest[:10]}"


class NspawnNetwork:
    """Connects guests of one zone.

    Args:
        zone: its name; networks of two zones are apart though their bridges have the same name.
        switch: name of the switch's namespace; made where it is missing.
        taps: a guest's links are taps in the switch, for an emulator that runs there, and it has no namespace.
        run_program: runs `ip`, `nft` and `sysctl`.
    """

    def __init__(self, zone: str, *, switch: str = DEFAULT_SWITCH, taps: bool = False, run_program: Run = run) -> None:
        self._zone = zone
        self._taps = taps
        self.switch = switch
        self._run = run_program

    def namespace(self, vm_id: int) -> str:
        """Name of a guest's namespace."""
        return f"{self.switch}-{self._zone}-{vm_id}"

    def namespace_path(self, vm_id: int) -> Path:
        """Where systemd-nspawn finds a guest's namespace."""
        return NETNS / self.namespace(vm_id)

    async def connect(self, vm_id: int, nics: tuple[NicSpec, ...]) -> None:
        """Make the guest's namespace with all its NICs; what an earlier start left is removed first.

        Raises:
            DriverError: the kernel refuses, or a security group cannot be enforced.
        """
        rulesets = [ruleset(self._table(vm_id, nic), self.port(vm_id, nic), nic) for nic in nics]
        await self.disconnect(vm_id, nics)
        await self._make_switch()
        if not self._taps:
            await self._run("ip", "netns", "add", self.namespace(vm_id))
            await self._run("ip", "-n", self.namespace(vm_id), "link", "set", "lo", "up")
        # The firewall is there before the first packet can be.
        for rules in rulesets:
            await self._run("ip", "netns", "exec", self.switch, "nft", "-f", "-", stdin=rules)
        for nic in nics:
            await self._plug(vm_id, nic)

    async def disconnect(self, vm_id: int, nics: tuple[NicSpec, ...]) -> None:
        """Remove the guest's namespace, links and rules; bridges stay, as other guests may be on them."""
        if self.switch in _namespaces():
            tables = "\n".join(removal(self._table(vm_id, nic)) for nic in nics)
            if tables:
                await self._run("ip", "netns", "exec", self.switch, "nft", "-f", "-", stdin=tables)
            present = await self._links()
            for nic in nics:
                if self.port(vm_id, nic) in present:
                    await self._run("ip", "-n", self.switch, "link", "delete", self.port(vm_id, nic))
        if self.namespace(vm_id) in _namespaces():
            await self._run("ip", "netns", "delete", self.namespace(vm_id))

    async def end_processes(self, vm_id: int) -> None:
        """Kill whatever still runs in the guest's namespace, for instance after its first process was killed."""
        if self.namespace(vm_id) in _namespaces():
            for pid in (await self._run("ip", "netns", "pids", self.namespace(vm_id))).split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    continue

    async def remove_switch(self) -> None:
        """Remove the switch, and with it every bridge: for when no zone of this machine has guests any more."""
        if self.switch in _namespaces():
            await self._run("ip", "netns", "delete", self.switch)

    async def give_address(self, address: str) -> None:
        """Let the switch have an address of its own, such as the one that OneGate is reached at."""
        await self._make_switch()
        await self._run("ip", "-n", self.switch, "address", "replace", f"{address}/32", "dev", "lo")

    async def _make_switch(self) -> None:
        if self.switch not in _namespaces():
            await self._run("ip", "netns", "add", self.switch)
        await self._run("ip", "-n", self.switch, "link", "set", "lo", "up")
        await self._run("ip", "netns", "exec", self.switch, "sysctl", "-q", "-w", *_SWITCH_SETTINGS)

    async def _plug(self, vm_id: int, nic: NicSpec) -> None:
        bridge, port = short_name("zb", self._zone, nic.bridge), self.port(vm_id, nic)
        if bridge not in await self._links():
            await self._run("ip", "-n", self.switch, "link", "add", bridge, "type", "bridge", "forward_delay", "0")
            await self._run("ip", "-n", self.switch, "link", "set", bridge, "up")
        if nic.gateway:
            prefix = ipaddress.IPv4Network(f"0.0.0.0/{nic.mask}").prefixlen
            await self._run(
                "ip", "-n", self.switch, "address", "replace", f"{nic.gateway}/{prefix}", "dev", bridge
            )  # fmt: skip
        if self._taps:
            await self._run("ip", "-n", self.switch, "tuntap", "add", "dev", port, "mode", "tap")
        else:
            await self._run(
                "ip", "-n", self.switch, "link", "add", port, "type", "veth",
                "peer", "name", f"eth{nic.nic_id}", "address", nic.mac, "netns", self.namespace(vm_id),
            )  # fmt: skip
        await self._run("ip", "-n", self.switch, "link", "set", port, "master", bridge, "up")
        if not self._taps:
            await self._configure(vm_id, nic)

    async def _configure(self, vm_id: int, nic: NicSpec) -> None:
        """Address and route of a container's NIC, as its CONTEXT says them.

        cloud-init's OpenNebula data source would leave the NIC alone: it takes only those that have a device behind
        them (25.1.4), and a container's has none.
        """
        guest, name = ("ip", "-n", self.namespace(vm_id)), f"eth{nic.nic_id}"
        prefix = ipaddress.IPv4Network(f"0.0.0.0/{nic.mask}").prefixlen
        await self._run(*guest, "address", "replace", f"{nic.ip}/{prefix}", "brd", "+", "dev", name)
        await self._run(*guest, "link", "set", name, "up")
        if nic.gateway:
            # The first NIC's is the one that counts.
            await self._run(*guest, "route", "append", "default", "via", nic.gateway, "metric", str(nic.nic_id))

    async def _links(self) -> set[str]:
        listed = await self._run("ip", "-n", self.switch, "-brief", "link", "show")
        return {line.split()[0].partition("@")[0] for line in listed.splitlines() if line.strip()}

    def port(self, vm_id: int, nic: NicSpec) -> str:
        """Name of a NIC's end in the switch."""
        return short_name("zv", self._zone, vm_id, nic.nic_id)

    def _table(self, vm_id: int, nic: NicSpec) -> str:
        return short_name("vm", self._zone, vm_id, nic.nic_id)


def _namespaces() -> set[str]:
    try:
        return {entry.name for entry in NETNS.iterdir()}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise DriverError(
            f"{NETNS}: {error.strerror}; named network namespaces are listed there, guests get one each; run the zone "
            "as root"
        ) from error
