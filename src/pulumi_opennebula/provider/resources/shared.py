"""What several resource types do alike: name, owner, permissions, lock. Knows no type's own properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from pulumi_opennebula.errors import NotFoundError, OpenNebulaError, RefusedError
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.durations import seconds
from pulumi_opennebula.provider.resources.base import Call
from pulumi_opennebula.provider.templates import NAME, Body, text_at
from pulumi_opennebula.provider.values import Unknown, Values
from pulumi_opennebula.provider.vectors import OwnedTemplate

PERMISSION_BITS: Final = (
    "OWNER_U",
    "OWNER_M",
    "OWNER_A",
    "GROUP_U",
    "GROUP_M",
    "GROUP_A",
    "OTHER_U",
    "OTHER_M",
    "OTHER_A",
)
LOCK_LEVELS: Final = {"USE": 1, "MANAGE": 2, "ADMIN": 3, "ALL": 4}
"""Lock levels of `one.<object>.lock`, from OpenNebula's XML-RPC reference."""
UNLOCKED: Final = "UNLOCK"
_OCTAL = re.compile(r"[0-7]{3}")
_TAKEN: Final = (
    "a tag or section may not have that name",
    "a property covers it, or OpenNebula sets it itself, and nobody could tell the two apart",
)
"""Rule and reason."""


def check_common(inputs: Values, findings: Findings, owned: OwnedTemplate | None = None) -> None:
    """Refuse permissions, names, durations, tags and sections that cannot be."""
    permissions = inputs.get("permissions")
    if isinstance(permissions, str) and not _OCTAL.fullmatch(permissions):
        findings.refuse(
            ("permissions",),
            permissions,
            "it must be three octal digits",
            "they are the rights of owner, group and others: use 4, manage 2, admin 1",
            "Give something like 600 or 640",
        )
    name = inputs.get("name")
    if isinstance(name, str) and not name.strip():
        findings.refuse(
            ("name",), name, "it must not be empty", "OpenNebula refuses empty names", "Give a name, or leave it out"
        )
    for operation, text in (inputs.get("timeouts") or {}).items():
        if isinstance(text, str) and seconds(text) is None:
            findings.refuse(
                ("timeouts", operation),
                text,
                "it must be a duration",
                "it is how long the operation may wait",
                "Give something like 90s, 10m or 1h30m",
            )
    if owned is not None:
        _check_attributes(inputs, findings, owned)


def check_default_tags(tags: Mapping[str, str], owned: OwnedTemplate, findings: Findings) -> None:
    """Refuse tags of the provider's settings that objects of a type cannot have."""
    for name in tags:
        if name.upper() in owned.taken:
            findings.refuse(("tags",), name, *_TAKEN, f"Rename {name} in the provider's defaultTags")


def _check_attributes(inputs: Values, findings: Findings, owned: OwnedTemplate) -> None:
    for name, value in (inputs.get("tags") or {}).items():
        if name.upper() in owned.taken:
            findings.refuse(("tags", name), value, *_TAKEN, "Use that property, or rename the tag")
    for index, section in enumerate(inputs.get("templateSections") or []):
        if not isinstance(section, dict):
            continue
        path = ("templateSections", index)
        name = section.get("name")
        if isinstance(name, str) and name.upper() in owned.taken:
            findings.refuse((*path, "name"), name, *_TAKEN, "Use that property")
        elif isinstance(name, str) and not NAME.fullmatch(name):
            findings.refuse(
                (*path, "name"),
                name,
                "it may have letters, digits and underscores only",
                "OpenNebula's template parser takes no other names",
                "Rename the section",
            )
        if not section.get("elements") and not isinstance(section.get("elements"), Unknown):
            findings.refuse(
                (*path, "elements"),
                section.get("elements"),
                "a section needs at least one element",
                "OpenNebula has no empty vectors: it would be missing for ever",
                "Give elements, or remove the section",
            )


def owner_outputs(body: Mapping[str, Any]) -> Values:
    """Name, owner and permissions of an object."""
    return {
        "name": text_at(body, "NAME"),
        "uid": int(text_at(body, "UID") or 0),
        "gid": int(text_at(body, "GID") or 0),
        "uname": text_at(body, "UNAME"),
        "gname": text_at(body, "GNAME"),
        "permissions": permissions_of(body),
    }


def permissions_of(body: Mapping[str, Any]) -> str:
    """The nine bits as three octal digits."""
    bits = [text_at(body, "PERMISSIONS", name) == "1" for name in PERMISSION_BITS]
    return "".join(str(4 * bits[i] + 2 * bits[i + 1] + bits[i + 2]) for i in (0, 3, 6))


def permission_bits(octal: str) -> list[int]:
    """The nine arguments of `chmod`."""
    return [int(digit) >> shift & 1 for digit in octal for shift in (2, 1, 0)]


def lock_of(body: Body) -> str | None:
    """Name of an object's lock level, or None."""
    level = text_at(body, "LOCK", "LOCKED")
    return next((name for name, number in LOCK_LEVELS.items() if str(number) == level), None)


async def set_owner(call: Call, method: str, id_: int, old: Values, new: Values, *extra: Any) -> None:
    """Set permissions, group and user where they differ. `extra` are further arguments of `chmod`."""
    oned = call.zone.oned
    permissions = new.get("permissions")
    if permissions is not None and permissions != old.get("permissions"):
        await oned.call(f"{method}.chmod", id_, *permission_bits(permissions), *extra)
    group, user = new.get("group"), new.get("user")
    group_id = await call.zone.group_id(group) if group is not None and group != old.get("group") else -1
    user_id = await call.zone.user_id(user) if user is not None and user != old.get("user") else -1
    if (group_id, user_id) != (-1, -1):
        await oned.call(f"{method}.chown", id_, user_id, group_id)


async def rename(call: Call, method: str, id_: int, old: Values, new: Values) -> None:
    """Change the name where it differs."""
    if new.get("name") is not None and new["name"] != old.get("name"):
        await call.zone.oned.call(f"{method}.rename", id_, new["name"])


async def unlock(call: Call, method: str, id_: int, old: Values) -> None:
    """Take a lock away before a change."""
    if is_locked(old):
        await call.zone.oned.call(f"{method}.unlock", id_)


async def lock(call: Call, method: str, id_: int, new: Values) -> None:
    """Set the lock after a change."""
    if is_locked(new):
        await call.zone.oned.call(f"{method}.lock", id_, LOCK_LEVELS[str(new["lock"]).upper()], False)


async def set_enabled(call: Call, method: str, id_: int, old: Values, new: Values) -> None:
    """Disable an object, or enable it again, where that differs."""
    disabled = bool(new.get("disabled"))
    if disabled != bool(old.get("disabled")):
        await call.zone.oned.call(f"{method}.enable", id_, not disabled)


def is_locked(values: Values) -> bool:
    """Whether a lock is wanted or known."""
    level = values.get("lock")
    return isinstance(level, str) and level.upper() != UNLOCKED


async def delete_object(call: Call, method: str, id_: int, old: Values, *arguments: Any) -> bool:
    """Delete an object of oned; False where it was gone already. One that is in use is locked again."""
    try:
        await unlock(call, method, id_, old)
        await call.zone.oned.call(f"{method}.delete", id_, *arguments)
    except NotFoundError:
        return False
    except RefusedError:
        with suppress(OpenNebulaError):
            await lock(call, method, id_, old)
        raise
    return True


def known(value: Any) -> bool:
    """Whether a value is given and known."""
    return value is not None and not isinstance(value, Unknown)
