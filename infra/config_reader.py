"""Typed reading of a stack's configuration that goes on after a mistake, so that all mistakes are shown together.

It knows types and names, not what the federation does with them; `infra.settings` does. A key that nothing reads is
refused with the nearest name that exists: a misspelt `maxNodes` must not quietly mean the default.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Any, TypeVar, cast

from components.errors import RefusalError, SeveralRefusalsError

T = TypeVar("T")


_URL = re.compile(r"https?://(?P<login>[^/?#\s]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?([/?#][!-~]*)?")


class _Unknown:
    """Stands in for a value that was refused; never leaves `Problems.finish` alive."""

    def __repr__(self) -> str:
        return "<refused>"


UNKNOWN = _Unknown()


class Problems:
    """Collects refusals while reading goes on.

    Args:
        title: What is read, for the head of the message.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._found: list[RefusalError] = []

    def attempt(self, read: Callable[[], T], *, given: Iterable[object] = ()) -> T:
        """What `read` returns; where it refuses, a placeholder that later attempts can name in `given`.

        Args:
            read: Reads or checks one value.
            given: Values that it uses; if one of them was refused, it is not even tried.
        """
        if any(value is UNKNOWN for value in given):
            return cast(T, UNKNOWN)
        try:
            return read()
        except RefusalError as refusal:
            self._found.append(refusal)
            return cast(T, UNKNOWN)

    def finish(self) -> None:
        """End the reading.

        Raises:
            SeveralRefusalsError: At least one attempt was refused.
        """
        if self._found:
            raise SeveralRefusalsError(self._title, self._found)


class Section:
    """One level of the configuration: the stack's own keys, or an object below one of them.

    Args:
        values: The level's keys and values; numbers may be texts, as Pulumi hands out those of the first level.
        where: Prefix of the level's keys in messages, such as "network.".
        file: The stack file, for remedies.
        known: Every key that the level may have.
        problems: Told of keys that it may not have.
        secret: Keys whose values, and all that is below them, are quoted in no refusal of this reader; None: all keys.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        where: str,
        file: str,
        known: Iterable[str],
        problems: Problems,
        secret: frozenset[str] | None = frozenset(),
    ) -> None:
        self._secret = secret
        self._values = values
        self._where = where
        self._file = file
        self._problems = problems
        names = sorted(known)
        for key in values:
            if key not in names:
                problems.attempt(lambda key=key: self._refuse_unknown(key, names))  # type: ignore[misc]

    def has(self, key: str) -> bool:
        """Whether the key is set to anything but null."""
        return self._values.get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty.

        Raises:
            RefusalError: It is missing, empty or no text.
        """
        value = self._value(key, default, "a text")
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, value, "a text that is not empty")
        return value.strip()

    def optional_text(self, key: str) -> str | None:
        """A text, or None where the key is not set.

        Raises:
            RefusalError: It is set, but empty or no text.
        """
        return self.text(key) if self.has(key) else None

    def integer(
        self, key: str, default: int | None = None, *, least: int | None = None, most: int | None = None
    ) -> int:
        """A whole number.

        Args:
            key: Its key.
            default: What it is where the key is not set; None: the key must be set.
            least: The lowest that is taken.
            most: The highest that is taken.

        Raises:
            RefusalError: It is missing, no whole number, or out of these bounds.
        """
        bounds = [*([] if least is None else [f"from {least} on"]), *([] if most is None else [f"up to {most}"])]
        wanted = " ".join(["a whole number", *bounds])
        value = self._value(key, default, wanted)
        found = _whole(value)
        if found is None or (least is not None and found < least) or (most is not None and found > most):
            raise self.wrong(key, value, wanted)
        return found

    def url(self, key: str) -> str | None:
        """An http or https URL without a login in it, or None where the key is not set.

        Raises:
            RefusalError: It is set to something else.
        """
        text = self.optional_text(key)
        return None if text is None else self.checked_url(key, text)

    def checked_url(self, key: str, text: str) -> str:
        """Return a URL for this key if it is one, and has no login in it.

        Raises:
            RefusalError: It is none, or has one.
        """
        match = _URL.fullmatch(text)
        if match is None:
            raise self.wrong(key, text, "a URL that begins with https:// or http:// and has a host, without spaces")
        if match["login"] is not None:
            raise RefusalError(
                value=f"{self.name(key)}: a URL with a user or password in it (not shown)",
                rule=f"{self.name(key)} is a URL without a login",
                reason="stack files are committed, and URLs are shown in logs",
                remedy=f"remove what stands before @ from flower-federation:{self.name(key)} in {self._file}, and "
                "change that password if the file has been shared",
            )
        return text

    def number(self, key: str, default: float | None = None) -> float:
        """A number.

        Raises:
            RefusalError: It is missing or no number.
        """
        value = self._value(key, default, "a number")
        try:
            # float() alone takes digits of every script, and 1_0 for ten.
            if isinstance(value, bool) or (isinstance(value, str) and not (value.isascii() and "_" not in value)):
                raise ValueError
            return float(value)
        except (TypeError, ValueError) as error:
            raise self.wrong(key, value, "a number") from error

    def address(self, key: str, default: IPv4Address | None = None) -> IPv4Address:
        """An IPv4 address.

        Raises:
            RefusalError: It is missing or none.
        """
        value = self._value(key, default, "an IPv4 address")
        try:
            return IPv4Address(str(value))
        except AddressValueError as error:
            raise self.wrong(key, value, "an IPv4 address such as 10.66.0.10") from error

    def network(self, key: str) -> IPv4Network:
        """An IPv4 network.

        Raises:
            RefusalError: It is missing or none, or has bits set behind its prefix.
        """
        return _network(self._value(key, None, "an IPv4 network"), self, key)

    def networks(self, key: str) -> tuple[IPv4Network, ...]:
        """A list of at least one IPv4 network.

        Raises:
            RefusalError: It is missing, empty or no such list.
        """
        values = self._list(key)
        if not values:
            raise self.wrong(key, values, "a list of at least one IPv4 network")
        return tuple(_network(value, self, key) for value in values)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; nothing where the key is not set.

        Raises:
            RefusalError: It is no list of texts.
        """
        values = self._list(key) if self.has(key) else []
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise self.wrong(key, values, "a list of texts")
        return tuple(value.strip() for value in values)

    def section(self, key: str, *, known: Iterable[str]) -> Section:
        """An object below this level; an empty one where the key is not set.

        Raises:
            RefusalError: The key is set to something else.
        """
        value = _decoded(self._values.get(key, {}) or {})
        if not isinstance(value, Mapping):
            raise self.wrong(key, value, "an object with keys and values")
        return self._below(value, f"{key}.", known, secret=self._hides(key))

    def sections(self, key: str, *, known: Iterable[str]) -> tuple[Section, ...]:
        """A list of objects; nothing where the key is not set.

        Raises:
            RefusalError: It is no list of objects.
        """
        values = self._list(key) if self.has(key) else []
        if not all(isinstance(value, Mapping) for value in values):
            raise self.wrong(key, values, "a list of objects")
        names = tuple(known)
        return tuple(
            self._below(value, f"{key}[{index}].", names, secret=self._hides(key)) for index, value in enumerate(values)
        )

    def name(self, key: str) -> str:
        """The key as messages write it, with the levels above."""
        return f"{self._where}{key}"

    def wrong(self, key: str, value: object, wanted: str, *, reason: str | None = None) -> RefusalError:
        """A refusal of this key's value."""
        return RefusalError(
            value=f"{self.name(key)}: {'a secret, not shown' if self._hides(key) else repr(value)}",
            rule=f"{self.name(key)} is {wanted}",
            reason=reason or "nothing else can be made of it",
            remedy=f"correct flower-federation:{self.name(key)} in {self._file}",
        )

    def _hides(self, key: str) -> bool:
        return self._secret is None or key in self._secret

    def _below(self, values: Mapping[str, Any], where: str, known: Iterable[str], *, secret: bool) -> Section:
        return Section(
            values,
            where=f"{self._where}{where}",
            file=self._file,
            known=known,
            problems=self._problems,
            secret=None if secret else frozenset(),
        )

    def _value(self, key: str, default: object, wanted: str) -> Any:
        value = self._values.get(key)
        if value is not None:
            return value
        if default is None:
            raise RefusalError(
                value=f"{self.name(key)}: not set",
                rule=f"{self.name(key)} is {wanted}, and has no default",
                reason="it differs from stack to stack, so nothing is guessed",
                remedy=f"set flower-federation:{self.name(key)} in {self._file}",
            )
        return default

    def _list(self, key: str) -> list[Any]:
        value = _decoded(self._value(key, None, "a list"))
        if not isinstance(value, list):
            raise self.wrong(key, value, "a list")
        return value

    def _refuse_unknown(self, key: str, names: list[str]) -> None:
        near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
        raise RefusalError(
            value=f"{self.name(key)}: unknown key",
            rule=f"the keys here are {', '.join(names)}",
            reason="a misspelt key would quietly mean the default",
            remedy=f"rename it to {self.name(near[0])} in {self._file}" if near else f"remove it from {self._file}",
        )


def _whole(value: Any) -> int | None:
    """The number that a value is, or writes in digits; None where it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    # int() alone takes digits of every script, and 1_0 for ten.
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,30}", value.strip()):
        return int(value)
    return None


def _decoded(value: Any) -> Any:
    """Objects and lists of the first level arrive from Pulumi as JSON text."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _network(value: Any, section: Section, key: str) -> IPv4Network:
    try:
        return IPv4Network(str(value))
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        wanted = "an IPv4 network such as 10.66.0.0/24, without bits behind its prefix"
        raise section.wrong(key, value, wanted) from error
