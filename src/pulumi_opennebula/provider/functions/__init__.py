"""One module a kind of look-up, and the handler of each function by token."""

from __future__ import annotations

from typing import Final

from pulumi_opennebula.provider.functions.base import FunctionHandler
from pulumi_opennebula.provider.functions.lookup import LOOKUPS
from pulumi_opennebula.provider.functions.machines import GetVirtualMachines
from pulumi_opennebula.provider.functions.templates import GetTemplate, GetTemplates

FUNCTIONS: Final[dict[str, FunctionHandler]] = {
    handler.definition.token: handler for handler in (*LOOKUPS, GetTemplate(), GetTemplates(), GetVirtualMachines())
}
