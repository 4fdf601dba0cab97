"""What a function provides. Functions ask the zone and change nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from pulumi_opennebula.definitions.model import Function
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.zone import Zone


class FunctionHandler(ABC):
    """A function."""

    definition: ClassVar[Function]

    @abstractmethod
    async def call(self, zone: Zone, arguments: Values) -> Values:
        """The result for checked arguments."""
