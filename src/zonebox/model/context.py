"""The CONTEXT vector as oned makes it: network keys, token keys, variables. It writes no disk (drivers do)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from zonebox.trees import Tree, flag, text, vectors

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

# Key of CONTEXT after ETH0_, then where its value is: attributes of NIC, then of the network's template. The set and
# the values are recorded; an attribute that nobody set is an empty key.
_NETWORK_KEYS: Mapping[str, tuple[str, ...]] = {
    "DNS": ("DNS",),
    "EXTERNAL": ("EXTERNAL",),
    "GATEWAY": ("GATEWAY",),
    "IP": ("IP",),
    "IP6": ("IP6", "IP6_GLOBAL"),
    "IP6_GATEWAY": ("IP6_GATEWAY", "GATEWAY6"),
    "IP6_METHOD": ("IP6_METHOD",),
    "IP6_METRIC": ("IP6_METRIC",),
    "IP6_PREFIX_LENGTH": ("PREFIX_LENGTH",),
    "IP6_ULA": ("IP6_ULA",),
    "MAC": ("MAC",),
    "MASK": ("NETWORK_MASK",),
    "METHOD": ("METHOD",),
    "METRIC": ("METRIC",),
    "MTU": ("GUEST_MTU",),
    "NETWORK": ("NETWORK_ADDRESS",),
    "SEARCH_DOMAIN": ("SEARCH_DOMAIN",),
    "VLAN_ID": ("VLAN_ID",),
    "VROUTER_IP": ("VROUTER_IP",),
    "VROUTER_IP6": ("VROUTER_IP6_GLOBAL",),
    "VROUTER_MANAGEMENT": ("VROUTER_MANAGEMENT",),
}
_VARIABLE = re.compile(
    r"\$([A-Z][A-Z0-9_]*)(?:\[\s*([A-Z0-9_]+)\s*(?:,\s*([A-Z0-9_]+)\s*=\s*\"?([^\"\]]*)\"?\s*)?\])?",
    re.IGNORECASE,
)
MADE = frozenset({"DISK_ID", "TARGET", "VMID", "ONEGATE_ENDPOINT"})


_NETWORK_KEY = re.compile(r"ETH\d+_(ALIAS\d+_)?(" + "|".join(_NETWORK_KEYS) + ")")


def is_network_key(key: str) -> bool:
    """Whether a key of CONTEXT is one that NETWORK="YES" makes."""
    return _NETWORK_KEY.fullmatch(key) is not None


def build(model: Model, vm: Tree, given: Tree) -> Tree:
    """CONTEXT from what the template has; the VM's disks and NICs are there already."""
    tree = vm["TEMPLATE"]
    context = {
        key: expand(model, vm, str(value))
        for key, value in given.items()
        if key not in MADE and not re.match(r"ETH\d+_(ALIAS\d+_)?MAC$", key)
    }
    if flag(given, "NETWORK"):
        for key, value in network_keys(model, tree).items():
            if not text(context, key):
                context[key] = value
    if flag(given, "TOKEN"):
        context["VMID"] = vm["ID"]
        context["ONEGATE_ENDPOINT"] = model.settings.onegate_endpoint
    used = [int(disk["DISK_ID"]) for disk in vectors(tree, "DISK")]
    context["DISK_ID"] = text(given, "DISK_ID") or str(max(used, default=-1) + 1)
    context["TARGET"] = text(given, "TARGET") or "hda"
    return dict(sorted(context.items()))


def network_keys(model: Model, tree: Tree) -> Tree:
    """ETHi_* and ETHi_ALIASj_* for the NICs that have a network."""
    keys: Tree = {}
    for nic in vectors(tree, "NIC"):
        if text(nic, "NETWORK_ID") and text(nic, "MAC"):
            keys.update(_keys_of(model, nic, f"ETH{nic['NIC_ID']}_"))
    for alias in vectors(tree, "NIC_ALIAS"):
        if text(alias, "NETWORK_ID") and text(alias, "MAC"):
            keys.update(_keys_of(model, alias, f"ETH{alias['PARENT_ID']}_ALIAS{alias['ALIAS_ID']}_"))
    return keys


def _keys_of(model: Model, nic: Tree, prefix: str) -> Tree:
    network = model.store.view("vn", int(nic["NETWORK_ID"])) or {"TEMPLATE": {}, "AR_POOL": {}}
    ar = next((item for item in vectors(network["AR_POOL"], "AR") if item["AR_ID"] == nic.get("AR_ID")), {})
    places = (nic, ar, network["TEMPLATE"])
    keys: Tree = {}
    for key, names in _NETWORK_KEYS.items():
        found = (text(place, name) for name in names for place in places)
        keys[prefix + key] = next((value for value in found if value), "")
    return keys


def expand(model: Model, vm: Tree, value: str) -> str:
    """`$NAME`, `$USER[SSH_PUBLIC_KEY]`, `$NETWORK[DNS, NETWORK="x"]`, `$NIC[IP]` in a value; `${...}` is not oned's.

    A variable that names nothing becomes empty, as in oned.
    """

    def replace(found: re.Match[str]) -> str:
        name, attribute, key, wanted = found.group(1).upper(), found.group(2), found.group(3), found.group(4)
        if attribute is None:
            return _single(vm, name)
        return _vector(model, vm, name, attribute.upper(), where=(key, wanted))

    return _VARIABLE.sub(replace, value) if "$" in value else value


def _single(vm: Tree, name: str) -> str:
    own = {"VMID": vm["ID"], "NAME": vm["NAME"], "UID": vm["UID"], "GID": vm["GID"]}
    own.update(UNAME=vm["UNAME"], GNAME=vm["GNAME"])
    return own.get(name) or text(vm["TEMPLATE"], name) or text(vm["USER_TEMPLATE"], name)


def _vector(model: Model, vm: Tree, name: str, attribute: str, *, where: tuple[str | None, str | None]) -> str:
    key, wanted = where
    if name == "USER":
        user = model.store.view("user", int(vm["UID"]))
        return text(user["TEMPLATE"], attribute) if user else ""
    if name == "NETWORK":
        for nic in vectors(vm["TEMPLATE"], "NIC"):
            if key is None or wanted in {text(nic, "NETWORK"), text(nic, "NETWORK_ID")}:
                network = model.store.view("vn", int(text(nic, "NETWORK_ID") or -1))
                return text(network["TEMPLATE"], attribute) if network else ""
        return ""
    for item in [*vectors(vm["TEMPLATE"], name), *vectors(vm["USER_TEMPLATE"], name)]:
        if key is None or text(item, key.upper()) == wanted:
            return text(item, attribute)
    return ""


def token(token_password: str, vm_id: int, stime: str) -> str:
    """Content of token.txt: base64 of AES-256-CBC (zero IV, key the password's first 32 characters) of `vmid:stime`."""
    padder = PKCS7(128).padder()
    plain = padder.update(f"{vm_id}:{stime}".encode()) + padder.finalize()
    key = token_password[:32].encode()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()
