"""Reads single CONTEXT variables into types and collects what is wrong with them. It knows no role and no combination.

Every reader returns a harmless stand-in when it refuses, so that one pass finds every problem; the caller must look at
`problems` before it uses any value.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm

from flower_appliance.errors import Problem

_T = TypeVar("_T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CONTEXT_PLACE = "the CONTEXT section of the VM template"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_GUEST_PATH = re.compile(r"/[A-Za-z0-9._/+@ -]*")
_ECHO = re.compile(r"[A-Za-z0-9+/=._:@ -]{1,255}")
_URL = re.compile(r"[!-~]+")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}")
INT_MAX = 2**31 - 1


class Fields:
    """CONTEXT variables by name; every refusal is kept in `problems`."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.problems: list[Problem] = []

    def refuse(self, name: str, rule: str, reason: str, remedy: str, *, secret: bool = False) -> None:
        """Keep one problem with the variable's value (described only, where it is secret)."""
        value = self._values.get(name, "")
        shown = "absent" if name not in self._values else f"{value[:120]!r}"
        if secret and value:
            shown = f"{len(value)} characters, not shown"
        self.problems.append(Problem(given=f"{name} is {shown}", rule=rule, reason=reason, remedy=remedy))

    def text(self, name: str, *, default: str = "") -> str:
        """The trimmed value; an empty one counts as absent, because OpenNebula fills in empty variables."""
        return self._values.get(name, "").strip() or default

    def names(self) -> tuple[str, ...]:
        """Names that have a value."""
        return tuple(name for name, value in self._values.items() if value.strip())

    def required(self, name: str, why: str) -> str:
        """The trimmed value, refused when absent."""
        value = self.text(name)
        if not value:
            self.refuse(name, "it must be given", why, f"Set {name} in {CONTEXT_PLACE}")
        return value

    def choice(self, name: str, allowed: tuple[str, ...], why: str, *, default: str = "") -> str:
        """One of a few words."""
        value = self.text(name, default=default)
        if value not in allowed:
            self.refuse(name, f"it must be {' or '.join(allowed)}", why, f"Set {name}={allowed[0]} in {CONTEXT_PLACE}")
            return allowed[0]
        return value

    def name(self, name: str, why: str) -> str:
        """A name that is safe in paths, logs and node configurations."""
        value = self.required(name, why)
        if value and not NAME.fullmatch(value):
            self.refuse(
                name,
                "it must be 1 to 63 letters, digits, dots, hyphens or underscores",
                "it becomes part of node names, file names and configuration strings",
                f"Choose a plain name for {name} in {CONTEXT_PLACE}",
            )
            return ""
        return value

    def integer(self, name: str, *, least: int, default: int | None) -> int | None:
        """A decimal integer; None where absent and no default is given."""
        value = self.text(name)
        if not value:
            return default
        if not re.fullmatch(r"[0-9]{1,10}", value) or not least <= int(value) <= INT_MAX:
            self.refuse(
                name,
                f"it must be an integer from {least} to {INT_MAX}",
                "it numbers nodes, partitions or clients",
                f"Correct {name} in {CONTEXT_PLACE}",
            )
            return default
        return int(value)

    def decoded(self, name: str, *, why: str, required: bool, secret: bool = False) -> bytes:
        """Base64 text, decoded; line breaks inside are allowed."""
        value = self.required(name, why) if required else self.text(name)
        try:
            return base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError):
            self.refuse(
                name,
                "it must be base64",
                "values of several lines do not survive the CONTEXT otherwise",
                f"Encode the PEM text with `base64 -w0` and set it as {name} in {CONTEXT_PLACE}",
                secret=secret,
            )
            return b""

    def parsed(
        self, name: str, raw: bytes, parse: Callable[[bytes], _T], what: str, *, secret: bool = False
    ) -> _T | None:
        """`parse(raw)`, refused where it raises ValueError; None for nothing."""
        if not raw:
            return None
        try:
            return parse(raw)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            self.refuse(
                name,
                f"decoded, it must be {what}",
                "the services load exactly these bytes",
                f"Give the PEM text of {what}, base64-encoded, as {name} in {CONTEXT_PLACE}",
                secret=secret,
            )
            return None

    def networks(self, name: str) -> tuple[Network, ...]:
        """CIDRs separated by spaces (or commas)."""
        found: list[Network] = []
        for word in re.split(r"[\s,]+", self.text(name)):
            if not word:
                continue
            try:
                found.append(ipaddress.ip_network(word))
            except ValueError:
                self.refuse(
                    name,
                    f"{word!r} must be a network such as 10.0.0.0/24, without host bits",
                    "only clients in these networks may reach the Control API, and a typing error must not widen them",
                    f"Correct {word!r} in {name} in {CONTEXT_PLACE}",
                )
        return tuple(found)

    def hosts(self, name: str, why: str) -> tuple[str, ...]:
        """DNS names and addresses separated by spaces; none where the variable is absent."""
        words = self.text(name).split()
        for word in words:
            if not _is_host(word, bracketed=":" in word):
                self.refuse(
                    name,
                    f"{word!r} must be a DNS name or an address",
                    why,
                    f"Correct {word!r} in {name} in {CONTEXT_PLACE}",
                )
        return tuple(words)

    def counts(self, name: str, why: str) -> dict[str, int]:
        """`NAME:COUNT` pairs separated by spaces."""
        found: dict[str, int] = {}
        for word in self.text(name).split():
            key, _, count = word.partition(":")
            if not NAME.fullmatch(key) or not re.fullmatch(r"[0-9]{1,9}", count):
                self.refuse(
                    name,
                    f"{word!r} must be a name and a count, such as supernode-1:2",
                    why,
                    f"Correct {word!r} in {name} in {CONTEXT_PLACE}",
                )
            else:
                found[key] = int(count)
        return found

    def endpoint(self, name: str, why: str) -> tuple[str, int]:
        """HOST:PORT, host being a DNS name, an IPv4 address or an IPv6 address in brackets."""
        value = self.required(name, why)
        host, colon, port = value.rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        port_ok = port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535
        if colon and port_ok and _is_host(bare, bracketed=bare != host):
            return bare, int(port)
        if value:
            self.refuse(
                name,
                "it must be HOST:PORT, without https://",
                "flower-supernode takes the address in this form only",
                f"Set {name} to the SuperLink's fleet endpoint, for example 10.0.0.5:9092, in {CONTEXT_PLACE}",
            )
        return "", 0

    def label(self, name: str) -> str:
        """The label of a file system on an attached disk, or nothing."""
        value = self.text(name)
        if value and (not _LABEL.fullmatch(value) or value == "CONTEXT"):
            self.refuse(
                name,
                "it must be the label of a file system: up to 16 letters, digits, dots, hyphens or underscores",
                "disks are found by label, as their names change with their number; CONTEXT is OpenNebula's own disk",
                f"Label the file system (e2label, xfs_admin -L) and set {name} to it in {CONTEXT_PLACE}",
            )
            return ""
        return value

    def guest_path(self, name: str, why: str) -> str:
        """An absolute path without `..`, quotes or control characters."""
        value = self.required(name, why)
        if value and (not _GUEST_PATH.fullmatch(value) or {".", ".."} & set(value.split("/"))):
            self.refuse(
                name,
                "it must be an absolute path of letters, digits, spaces and ._+@- without '.' and '..'",
                "Flower's node configuration has no way to escape quotes, and systemd names a mount by its plain path",
                f"Mount the data at a plain path and set {name} to it in {CONTEXT_PLACE}",
            )
            return ""
        return value

    def url(self, name: str) -> str:
        """An http or https URL, or nothing."""
        value = self.text(name)
        parts = split_url(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            self.refuse(
                name,
                "it must be an http or https URL, of ASCII characters without spaces",
                "it is contacted, or shown to people, as it is",
                f"Correct {name} in {CONTEXT_PLACE}",
            )
            return ""
        return value

    def echo(self, name: str) -> str:
        """A text that is written back through OneGate as it is, or nothing."""
        value = self.text(name)
        if value and not _ECHO.fullmatch(value):
            self.refuse(
                name,
                "it must be 1 to 255 letters, digits, spaces or characters of +/=._:@-",
                "it is written back through OneGate, which mangles other characters",
                f"Let the stack set {name}, or remove it from {CONTEXT_PLACE}",
            )
            return ""
        return value


def split_url(text: str) -> SplitResult:
    """A URL's parts; those of no URL, without scheme and host, where it is none."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # looked at only when it is asked for
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts if _URL.fullmatch(text) else SplitResult("", "", "", "", "")


def _is_host(value: str, *, bracketed: bool) -> bool:
    try:
        version = ipaddress.ip_address(value).version
    except ValueError:
        return not bracketed and len(value) <= 253 and all(_HOST_LABEL.fullmatch(part) for part in value.split("."))
    return bracketed == (version == 6)
