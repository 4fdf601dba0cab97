"""Networks that a service brings along: made by reservation or from a template, removed with it. It leases nothing."""

from __future__ import annotations

from collections.abc import Iterator

from zonebox import template
from zonebox.errors import OneError
from zonebox.oneflow.errors import NetworksFailed, oned_text
from zonebox.oneflow.nodes import Outcome
from zonebox.oneflow.service import Service
from zonebox.oneflow.zone import ADMIN, FlowZone, now_s, together
from zonebox.ports import Body, Caller

_READY = 1
_ERROR = 5


def _values(service: Service) -> Iterator[tuple[str, Body]]:
    for value in service.body.get("networks_values") or []:
        for name, own in value.items():
            if isinstance(own, dict):
                yield name, own


def make_networks(zone: FlowZone, service: Service, caller: Caller) -> None:
    """Make the networks that are not given by id; their ids go into the document.

    A reservation takes its size from `extra` (`SIZE=5`), a network from a template all of it.

    Raises:
        NetworksFailed: oned refused one, or a reservation has no size; the service's log says why.
    """
    _check_values(zone, service)
    for name, value in _values(service):
        if "id" in value:
            continue
        try:
            # One transaction: a zone process that is killed then leaves no network that its service does not know.
            with together(zone):
                value["id"] = _make(zone, service, name, value, caller)
                zone.documents.update(ADMIN, service.id, service.body)
        except (OneError, ValueError) as error:
            message = f"Network {name}: {error}"
            service.log("E", message, now_s(zone))
            raise NetworksFailed(message) from error


def _check_values(zone: FlowZone, service: Service) -> None:
    for value in service.body.get("networks_values") or []:
        for name, own in value.items():
            if not isinstance(own, dict):
                message = f"Network {name}: networks_values must give an object with id, template_id or reserve_from"
                service.log("E", message, now_s(zone))
                raise NetworksFailed(message)


def _make(zone: FlowZone, service: Service, name: str, value: Body, caller: Caller) -> int:
    extra = template.parse(str(value.get("extra") or ""))
    full_name = f"{name}-{service.id}"
    if "template_id" in value:
        return zone.networks.instantiate_template(caller, int(value["template_id"]), full_name, extra)
    if "reserve_from" not in value:
        message = f"Network {name}: networks_values gives none of id, template_id and reserve_from"
        service.log("E", message, now_s(zone))
        raise NetworksFailed(message)
    size = str(extra.get("SIZE") or "")
    if not size.isdecimal():
        message = (
            f"Network {name}: SIZE is {size or 'missing'} in extra, a reservation needs a number of addresses; "
            f'set extra to "SIZE=5" in networks_values'
        )
        service.log("E", message, now_s(zone))
        raise NetworksFailed(message)
    return zone.networks.reserve(caller, int(value["reserve_from"]), full_name, int(size))


def networks_up(zone: FlowZone, service: Service) -> Outcome:
    """Whether all networks of the service are ready; one that oned does not know counts as ready (OneFlow 7.0.1)."""
    outcome = Outcome.REACHED
    for _, value in _values(service):
        state = _state(zone, value)
        if state == _ERROR:
            return Outcome.FAILED
        if state not in {_READY, None}:
            outcome = Outcome.WAITING
    return outcome


def _state(zone: FlowZone, value: Body) -> int | None:
    try:
        return int(zone.networks.info(ADMIN, int(value["id"])).get("STATE", _READY))
    except (OneError, KeyError, ValueError):
        return None


def remove_networks(zone: FlowZone, service: Service, caller: Caller) -> bool:
    """Delete the networks that the service made; whether all of them are gone."""
    gone = True
    for name, value in _values(service):
        if "id" not in value or not ({"template_id", "reserve_from"} & set(value)) or _state(zone, value) is None:
            continue
        try:
            zone.networks.delete(caller, int(value["id"]))
        except OneError as error:
            gone = False
            service.log("E", f"Network {name}: {oned_text('one.vn.delete', error)}", now_s(zone))
    return gone
