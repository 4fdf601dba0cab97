"""What a resource type provides, and what its calls are made with. Knows no type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from pulumi_opennebula.definitions.model import Resource
from pulumi_opennebula.errors import InputError
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.diffs import Change
from pulumi_opennebula.provider.durations import seconds
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import OwnedTemplate
from pulumi_opennebula.provider.zone import Zone

DEFAULT_TIMEOUT_S: Final = 600.0
"""Longest wait where nothing else is set; the bridged package waits 10 to 20 minutes."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One operation on one resource."""

    zone: Zone
    operation: str
    """create, update or delete: which of `timeouts` applies."""
    timeout_s: float
    """From `custom_timeouts`; 0 where the program set none."""
    progress: Callable[[str], None]
    """Shows a line beside the resource while the engine waits."""

    def timeout_of(self, values: Values) -> float:
        """Longest wait in seconds: `custom_timeouts`, else `timeouts`, else `timeout` in minutes, else the default."""
        if self.timeout_s:
            return self.timeout_s
        text = (values.get("timeouts") or {}).get(self.operation)
        found = seconds(str(text)) if text else None
        minutes = values.get("timeout")
        return found or (float(minutes) * 60 if minutes else DEFAULT_TIMEOUT_S)


class Handler(ABC):
    """A resource type."""

    definition: ClassVar[Resource]
    owned: ClassVar[OwnedTemplate | None] = None
    """Which attributes of its objects are properties; None where it takes no tags."""
    needs_flow: ClassVar[bool] = False
    """Whether its objects are OneFlow's."""
    replaced_where_failed: ClassVar[bool] = False
    """Whether an object in an error state is of no more use, so that the next `up` replaces it."""
    carried: ClassVar[tuple[str, ...]] = ()
    """Outputs that a read after an update has to know, because the cloud does not say them again."""
    settled_later: ClassVar[tuple[str, ...]] = ()
    """Outputs that an update may change, so that a preview of it does not know them."""

    def check_id(self, id_: str) -> None:
        """Refuse an id that cannot be one: `pulumi import` and `.get` take whatever they are given.

        Raises:
            InputError: it is none.
        """
        if not id_.isdecimal():
            raise self.no_id(id_)

    def no_id(self, id_: str) -> InputError:
        """The refusal of an id."""
        return InputError(
            "id",
            f"id of {self.definition.name} is {id_!r}",
            f"it must be {self.definition.import_id}",
            "OpenNebula finds objects by number: names may change, and some are given twice",
            f"Look the number up and give it as, for example, {self.definition.import_example}",
        )

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse what only this type knows to be wrong. Values may be unknown."""
        del inputs, findings

    def refine(self, changes: list[Change], old: Values, new: Values) -> list[Change]:
        """Correct the differences that the definition alone would report."""
        return changes

    def adopted(self, old: Values, new: Values) -> Values:
        """The state of an imported object, with what nobody can read filled in as the program says."""
        del new
        return old

    def imported(self, inputs: Values) -> Values:
        """The inputs of an imported object, without what a program could not give."""
        return inputs

    async def has_failed(self, call: Call, id_: str) -> bool:
        """Whether an object that ended in an error state when it was made still is of no use."""
        del call, id_
        return True

    @abstractmethod
    async def create(self, call: Call, inputs: Values) -> str:
        """Make the object with one call, and return its id; nothing may be left over where this raises."""

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Wait for the new object, and set what its creation could not.

        Where this raises, the object is in the state, as one that is not ready.
        """
        del call, id_, inputs

    @abstractmethod
    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The object's properties, or None where it is gone. `old` is what the program knows; None on import."""

    @abstractmethod
    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Bring the object from `old` to `new`; with no difference, to ready."""

    @abstractmethod
    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Remove the object and wait until it is gone; one that is gone already is no error."""
