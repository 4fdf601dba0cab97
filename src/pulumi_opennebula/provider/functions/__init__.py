"""One module a kind of look-up, and the handler of each function by token."""

from __future__ import annotations

from typing import Final

from pulumi_opennebula.provider.functions.base import FunctionHandler
from pulumi_opennebula.provider.functions.lookup import GetImage, GetVirtualNetwork
from pulumi_opennebula.provider.functions.machines import GetVirtualMachines

FUNCTIONS: Final[dict[str, FunctionHandler]] = {
    handler.definition.token: handler for handler in (GetVirtualMachines(), GetImage(), GetVirtualNetwork())
}
