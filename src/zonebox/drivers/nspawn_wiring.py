"""Joins guests to networks and to OneGate, one guest at a time. It decides no rule and starts no guest."""

from __future__ import annotations

import asyncio
import ipaddress
from urllib.parse import urlsplit

from zonebox.drivers.base import DriverError, GuestSpec
from zonebox.drivers.commands import Run, run
from zonebox.drivers.nics import DEFAULT_SWITCH
from zonebox.drivers.nspawn_network import NETNS, NspawnNetwork
from zonebox.drivers.nspawn_relay import Relay


class Wiring:
    """The networks of a driver's guests.

    Args:
        onegate: address and port of the zone's OneGate on the host; None: nothing is relayed.
        switch: network namespace that holds the bridges.
        taps: give guests taps in the switch, for emulators, instead of namespaces of their own.
        run_program: runs system programs.
    """

    def __init__(
        self,
        *,
        onegate: tuple[str, int] | None,
        switch: str = DEFAULT_SWITCH,
        taps: bool = False,
        run_program: Run = run,
    ) -> None:
        self.switch = switch
        self._onegate = onegate
        self._taps = taps
        self._run = run_program
        self._relays: dict[tuple[str, int], Relay] = {}
        # Bridges, the switch and the relays are shared.
        self._lock = asyncio.Lock()

    def network(self, spec: GuestSpec) -> NspawnNetwork:
        """The networks of a guest's zone."""
        return NspawnNetwork(spec.zone, switch=self.switch, taps=self._taps, run_program=self._run)

    def namespace(self, spec: GuestSpec) -> str:
        """Name of the guest's own network namespace."""
        return self.network(spec).namespace(spec.vm_id)

    async def connect(self, spec: GuestSpec) -> str:
        """Plug the guest in and let it reach OneGate; the name of its namespace. Raises DriverError."""
        async with self._lock:
            await self.network(spec).connect(spec.vm_id, spec.nics)
        await self.relay_onegate(spec)
        return self.namespace(spec)

    async def disconnect(self, spec: GuestSpec) -> None:
        """End what is left in the guest's namespace, and remove its links and rules. Idempotent."""
        await self.network(spec).end_processes(spec.vm_id)
        async with self._lock:
            await self.network(spec).disconnect(spec.vm_id, spec.nics)

    async def close(self) -> None:
        """Relay no longer."""
        for relay in self._relays.values():
            await relay.close()
        self._relays.clear()

    async def relay_onegate(self, spec: GuestSpec) -> None:
        """Listen in the switch where the guest's CONTEXT says that OneGate is. Raises DriverError."""
        endpoint = urlsplit(spec.context.get("ONEGATE_ENDPOINT", ""))
        if self._onegate is None or not endpoint.hostname:
            return
        listen = (endpoint.hostname, endpoint.port or (443 if endpoint.scheme == "https" else 80))
        async with self._lock:
            if listen in self._relays:
                return
            if not _is_for_guests(listen[0]):
                raise DriverError(
                    f"ONEGATE_ENDPOINT {endpoint.geturl()}: its host must be an IPv4 address outside of 127.0.0.0/8, a "
                    "guest with a network of its own has another loopback; start the zone with --onegate-host, for "
                    "instance 169.254.16.9"
                )
            await self.network(spec).give_address(listen[0])
            relay = Relay(NETNS / self.switch, listen=listen, target=self._onegate)
            await relay.start()
            self._relays[listen] = relay


def _is_for_guests(host: str) -> bool:
    try:
        return not ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False
