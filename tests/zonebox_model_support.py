"""A zone's model without servers, on a clock that stands still: calls by method name, as XML-RPC makes them."""

from __future__ import annotations

import xmlrpc.client
from pathlib import Path
from typing import Any

from tests.zonebox_support import settings_for
from zonebox.clock import ManualClock
from zonebox.drivers.fake import FakeDriver
from zonebox.model.hosts import HostSpec
from zonebox.server import reply
from zonebox.trees import Tree
from zonebox.xmltree import parse
from zonebox.zone import Zone


class Caller:
    """One user's calls.

    Args:
        zone: the zone.
        session: `user:password`.
    """

    def __init__(self, zone: Zone, session: str) -> None:
        self._zone = zone
        self._session = session

    def raw(self, method: str, *params: Any) -> list[Any]:
        """The reply as it is: success, value, code."""
        body = xmlrpc.client.dumps((self._session, *params), f"one.{method}").encode()
        values: Any = xmlrpc.client.loads(reply(self._zone.model, self._zone.registry, body))[0][0]
        return list(values)

    def __call__(self, method: str, *params: Any) -> Any:
        """The value of a call that succeeds: an id, or a tree where it is XML."""
        values = self.raw(method, *params)
        assert values[0], values
        value = values[1]
        if isinstance(value, str) and value.startswith("<"):
            return parse(value)[1]
        return value

    def refused(self, method: str, *params: Any) -> tuple[int, str]:
        """Code and text of a call that is refused."""
        values = self.raw(method, *params)
        assert not values[0], values
        return values[2], values[1]


class StillZone:
    """A zone whose time moves only when a test says so.

    Args:
        folder: where it keeps its state.
        hosts: its hosts; empty for the default one.
    """

    def __init__(self, folder: Path, *hosts: HostSpec) -> None:
        self.clock = ManualClock()
        self.driver = FakeDriver()
        self.zone = Zone(settings_for(folder, hosts=hosts), clock=self.clock, driver=self.driver)
        self.zone.work.start(self.zone.executor.handle)
        self.root = Caller(self.zone, self.zone.session)

    def user(self, name: str, group: int = 1) -> Caller:
        """A new user's calls."""
        self.root("user.allocate", name, "secret", "core", [group])
        return Caller(self.zone, f"{name}:secret")

    async def pass_time(self, seconds: float = 1.0) -> None:
        """Let work that waits be done."""
        for _ in range(20):
            await self.clock.advance(seconds / 20)

    def network(self, size: int = 4, **more: str) -> int:
        """A network; READY once time passed."""
        extra = "".join(f'\n{key}="{value}"' for key, value in more.items())
        ar = f'AR=[TYPE="IP4",IP="10.0.0.1",SIZE="{size}"]'
        number: int = self.root("vn.allocate", f'NAME="net"\nVN_MAD="dummy"\nBRIDGE="br0"\n{ar}{extra}', -1)
        return number

    def vm(self, vm_id: int) -> Tree:
        """A VM as one.vm.info shows it."""
        found: Tree = self.root("vm.info", vm_id)
        return found

    def state(self, vm_id: int) -> tuple[str, str]:
        """STATE and LCM_STATE."""
        vm = self.vm(vm_id)
        return vm["STATE"], vm["LCM_STATE"]
