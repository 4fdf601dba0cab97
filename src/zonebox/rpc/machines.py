"""Methods of VM templates and VMs."""
# ruff: noqa: PLR0917 - a method's parameters are positional in XML-RPC, and as many as OpenNebula gives it

from __future__ import annotations

from typing import Any

from zonebox import template
from zonebox.errors import ActionRefused
from zonebox.model.zone_model import Model
from zonebox.ports import Caller
from zonebox.rpc import common
from zonebox.rpc.registry import BOOL, INT, STR, Registry, optional
from zonebox.xmltree import render

_POOL = (INT, optional(int, -1), optional(int, -1), optional(int, -1), optional(str, ""))


def add(registry: Registry) -> None:
    """Put this module's methods into the table."""
    _templates(registry)
    _vms(registry)


def _templates(registry: Registry) -> None:
    pool = lambda model: model.templates  # noqa: E731 - one expression used four times
    common.add(registry, "template", pool, "rename", "update", "chmod", "chown", "lock", "unlock")
    common.add_pool(registry, "template", pool)
    registry.add("one.template.info", _template_info, INT, optional(bool, False), optional(bool, False))
    registry.add("one.template.allocate", lambda model, caller, text: model.templates.allocate(caller, text), STR)
    registry.add("one.template.delete", _template_delete, INT, optional(bool, False))
    registry.add("one.template.clone", _template_clone, INT, STR, optional(bool, False))
    registry.add(
        "one.template.instantiate",
        _instantiate,
        INT,
        optional(str, ""),
        optional(bool, False),
        optional(str, ""),
        optional(bool, False),
    )


def _template_info(model: Model, caller: Caller, id_: int, _extended: bool, _decrypt: bool) -> str:
    return render(model.templates.kind.tag, model.templates.info(caller, id_))


def _template_delete(model: Model, caller: Caller, id_: int, images: bool) -> None:
    model.templates.delete(caller, id_, images=images)


def _template_clone(model: Model, caller: Caller, id_: int, name: str, images: bool) -> int:
    return model.templates.clone(caller, id_, name, images=images)


def _instantiate(model: Model, caller: Caller, id_: int, name: str, hold: bool, extra: str, persistent: bool) -> int:
    if persistent:
        clone = model.templates.clone(caller, id_, name or f"template-{id_}", images=True)
        return model.templates.instantiate_vm(caller, clone, name, template.parse(extra), hold=hold)
    return model.templates.instantiate_vm(caller, id_, name, template.parse(extra), hold=hold)


def _vms(registry: Registry) -> None:
    common.add(registry, "vm", lambda model: model.vms, "info", "rename", "update", "chmod", "chown", "lock", "unlock")
    registry.add("one.vmpool.info", _pool_info, *_POOL)
    registry.add("one.vmpool.infoextended", _pool_extended, *_POOL)
    registry.add("one.vmpool.infoset", _pool_set, STR, optional(bool, True))
    registry.add("one.vm.allocate", _allocate, STR, optional(bool, False))
    registry.add("one.vm.action", _action, STR, INT)
    registry.add("one.vm.deploy", _deploy, INT, INT, optional(bool, False), optional(int, -1), optional(str, ""))
    registry.add("one.vm.recover", lambda model, caller, id_, op: model.lifecycle.recover(caller, id_, op), INT, INT)
    registry.add("one.vm.updateconf", _updateconf, INT, STR, optional(int, 0))
    registry.add(
        "one.vm.attach", lambda model, caller, id_, text: model.devices.attach_disk(caller, id_, text), INT, STR
    )
    registry.add(
        "one.vm.detach", lambda model, caller, id_, disk: model.devices.detach_disk(caller, id_, disk), INT, INT
    )
    registry.add("one.vm.attachnic", lambda m, caller, id_, text: m.devices.attach_nic(caller, id_, text), INT, STR)
    registry.add("one.vm.detachnic", lambda m, caller, id_, nic: m.devices.detach_nic(caller, id_, nic), INT, INT)
    registry.add("one.vm.diskresize", _disk_resize, INT, INT, STR)
    registry.add("one.vm.resize", _resize, INT, STR, BOOL)


def _allocate(model: Model, caller: Caller, source: str, hold: bool) -> int:
    return model.vms.allocate(caller, source, hold=hold)


def _action(model: Model, caller: Caller, action: str, id_: int) -> int:
    model.lifecycle.act(caller, id_, action)
    return id_


def _deploy(model: Model, caller: Caller, id_: int, host: int, _enforce: bool, _store: int, _extra: str) -> None:
    model.lifecycle.deploy(caller, id_, host)


def _updateconf(model: Model, caller: Caller, id_: int, source: str, append: int) -> None:
    model.vms.updateconf(caller, id_, source, append)


def _disk_resize(model: Model, caller: Caller, id_: int, disk: int, size: str) -> int:
    """Answers with the disk's id, not the VM's (as recorded)."""
    model.devices.resize_disk(caller, id_, disk, size)
    return disk


def _resize(model: Model, caller: Caller, id_: int, source: str, enforce: bool) -> None:
    model.devices.resize(caller, id_, source, enforce=enforce)


def _pool_info(model: Model, caller: Caller, who: int, start: int, end: int, state: int, filter_: str) -> str:
    return common.pool_xml(model.vms, model.vms.choose(caller, who, start, end, state=state, filter_=filter_))


def _pool_extended(model: Model, caller: Caller, who: int, start: int, end: int, state: int, filter_: str) -> str:
    chosen = model.vms.choose(caller, who, start, end, state=state, filter_=filter_)
    return "<VM_POOL>" + "".join(render("VM", model.vms.shown(vm)) for vm in chosen) + "</VM_POOL>"


def _pool_set(model: Model, caller: Caller, numbers: str, extended: bool) -> str:
    wanted: list[Any] = [item.strip() for item in numbers.split(",") if item.strip()]
    if any(not item.isdecimal() for item in wanted):
        raise ActionRefused(f"Wrong set of ids {numbers}: numbers separated by commas are expected.")
    chosen = [vm for vm in model.vms.select(caller) if vm["ID"] in wanted]
    shown = model.vms.shown if extended else model.vms.listed
    return "<VM_POOL>" + "".join(render("VM", shown(vm)) for vm in chosen) + "</VM_POOL>"
