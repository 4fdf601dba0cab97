"""What OneFlow needs of a zone: its ports and its clock, and the documents as OneFlow words their refusals."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol

from zonebox.clock import Clock
from zonebox.errors import NotFound, OneError
from zonebox.ports import Body, Caller, Documents, Machines, Networks, Users

SERVICE: Final = 100
"""Document type of services."""

TEMPLATE: Final = 101
"""Document type of service templates."""

ADMIN: Final = Caller(uid=0, gid=0, uname="oneadmin", gname="oneadmin")
"""Who OneFlow is when it acts by itself."""


class FlowZone(Protocol):
    """The part of a zone that OneFlow and OneGate work with."""

    @property
    def documents(self) -> Documents:
        """oned's document pool."""
        ...

    @property
    def machines(self) -> Machines:
        """oned's VMs."""
        ...

    @property
    def networks(self) -> Networks:
        """oned's virtual networks."""
        ...

    @property
    def users(self) -> Users:
        """Authentication."""
        ...

    @property
    def clock(self) -> Clock:
        """The zone's time."""
        ...


def now_s(zone: FlowZone) -> int:
    """Unix time in whole seconds, as documents hold it."""
    return int(zone.clock.now())


def read_document(zone: FlowZone, caller: Caller, id_: int, type_: int) -> Body:
    """A document of one type.

    Raises:
        NotFound: there is none of this type with this id.
        NotAuthorized: the caller may not see it.
    """
    document = zone.documents.info(caller, id_)
    if str(document.get("TYPE")) != str(type_):
        raise NotFound("document", id_)
    return document


def vm_or_none(zone: FlowZone, vm_id: int) -> Body | None:
    """A VM, or None where oned does not know it."""
    try:
        return zone.machines.info(vm_id)
    except OneError:
        return None


def together(zone: FlowZone) -> AbstractContextManager[None]:
    """Several calls of the ports in one transaction, where the zone keeps a store.

    A zone process that is killed then leaves no VM that its service does not know.
    """
    store = getattr(zone, "store", None)
    transaction: AbstractContextManager[None] = nullcontext() if store is None else store.transaction()
    return transaction


def template_of(zone: FlowZone, caller: Caller, template_id: int) -> Body:
    """What a VM template holds, {} where the zone shows none or not this one.

    oned replaces whole sections when it merges, so OneFlow merges a role's CONTEXT into the template's itself. The
    ports have no VM templates; a zone's model has.
    """
    templates: Any = getattr(getattr(zone, "model", None), "templates", None)
    if templates is None:
        return {}
    try:
        found: Body = templates.info(caller, template_id)["TEMPLATE"]
    except OneError:
        return {}
    return found
