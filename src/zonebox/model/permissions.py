"""Owners, groups and the nine permission bits of an object. It knows neither ACL rules nor locks."""

from __future__ import annotations

from collections.abc import Sequence

from zonebox.errors import Refused
from zonebox.ports import Caller
from zonebox.trees import Tree

_BITS = tuple(f"{who}_{what}" for who in ("OWNER", "GROUP", "OTHER") for what in "UMA")
PRIVATE = "110000000"
"""What OpenNebula's default umask 177 leaves."""
ROOT = Caller(uid=0, gid=0, uname="oneadmin", gname="oneadmin")


def permissions(bits: str) -> Tree:
    """PERMISSIONS from nine characters, owner to others, use-manage-admin each."""
    return dict(zip(_BITS, bits, strict=True))


def from_octet(octet: str) -> str:
    """Nine bits from an octet string such as "640"; use is 4, manage 2, admin 1. Raises Refused."""
    if len(octet) != 3 or any(digit not in "01234567" for digit in octet):
        raise Refused(f"Wrong permissions {octet}: three digits from 0 to 7 are expected, such as 600.")
    return "".join(f"{int(digit):03b}" for digit in octet)


def changed(current: Tree, bits: Sequence[int]) -> Tree:
    """PERMISSIONS after chmod with nine numbers, of which -1 keeps a bit.

    Raises:
        Refused: not nine numbers of -1, 0, 1.
    """
    if len(bits) != len(_BITS) or any(bit not in {-1, 0, 1} for bit in bits):
        raise Refused("Wrong permission bits: nine numbers of -1, 0 or 1 are expected.")
    return {name: current[name] if bit == -1 else str(bit) for name, bit in zip(_BITS, bits, strict=True)}


def grants(tree: Tree, uid: int, groups: frozenset[int], right: str) -> bool:
    """Whether an object's bits give a user the right USE, MANAGE or ADMIN."""
    letter = right[0]
    bits = tree.get("PERMISSIONS")
    if not isinstance(bits, dict):
        return False
    if int(tree["UID"]) == uid and bits[f"OWNER_{letter}"] == "1":
        return True
    if int(tree["GID"]) in groups and bits[f"GROUP_{letter}"] == "1":
        return True
    return bool(bits[f"OTHER_{letter}"] == "1")


def head(caller: Caller, id_: int, name: str, bits: str = PRIVATE) -> Tree:
    """The elements every owned object begins with."""
    return {
        "ID": str(id_),
        "UID": str(caller.uid),
        "GID": str(caller.gid),
        "UNAME": caller.uname,
        "GNAME": caller.gname,
        "NAME": name,
        "PERMISSIONS": permissions(bits),
    }
