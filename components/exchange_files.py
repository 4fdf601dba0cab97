"""Files that two operators hand each other: one JSON object, read strictly, with one form to sign and to hash.

It reads no file and trusts no content: who may say what is for `join_bundle` and `zone_answer`. A key too many is
refused like one too few, because a reader who skips what it does not know signs for what it has not read. What is
refused is quoted to an operator, who decides by what the terminal shows: so texts are printable, and short.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from components.errors import RefusalError

MAX_CHARACTERS = 1_000_000
"""Above what a thousand nodes need; what is longer is no such file."""

MAX_LINE_CHARACTERS = 1_000
"""Above what a public key of any curve needs; what is longer is no name, key, version or fingerprint."""

_GROUP = 4
_SHOWN_CHARACTERS = 32


def read_object(
    text: str, *, what: str, format_: str, keys: Iterable[str], of_lines: Iterable[str] = ()
) -> dict[str, Any]:
    """One JSON object of a format.

    Args:
        text: The file's content.
        what: Its name, for messages.
        format_: What its key `format` must say.
        keys: All its other keys.
        of_lines: Keys, at any depth, whose texts have many lines, such as PEM.

    Raises:
        RefusalError: It is too long, no JSON object, of another format, has other keys, a number with a fraction, or a
            text that no terminal should show.
    """
    if len(text) > MAX_CHARACTERS:
        raise malformed(what, f"{len(text)} characters", f"it has at most {MAX_CHARACTERS} characters")
    try:
        found = json.loads(
            text, object_pairs_hook=_without_repetition, parse_float=_no_fraction, parse_constant=_no_fraction
        )
    except (ValueError, RecursionError) as error:
        raise malformed(what, f"no JSON ({error})", "it is one JSON object") from error
    if not isinstance(found, dict):
        raise malformed(what, f"a {type(found).__name__}", "it is one JSON object")
    _check_texts(found, what=what, of_lines=frozenset(of_lines))
    if found.get("format") != format_:
        raise malformed(what, f"format {found.get('format')!r}", f"its format is {format_}")
    check_keys(found, what=what, keys=("format", *keys))
    return found


def check_keys(found: Mapping[str, Any], *, what: str, keys: Iterable[str]) -> None:
    """Refuse an object whose keys are not exactly these.

    Raises:
        RefusalError: One is missing, or one too many.
    """
    wanted = tuple(keys)
    if set(found) != set(wanted):
        odd = sorted(set(found) ^ set(wanted))
        raise malformed(what, f"missing or unknown: {', '.join(odd)}", f"its keys are {', '.join(wanted)}")


def malformed(what: str, given: str, rule: str) -> RefusalError:
    """The refusal of a file that is not what it should be."""
    return RefusalError(
        value=f"{what}: {given}",
        rule=rule,
        reason="it crossed two organisations, and nothing of it is guessed",
        remedy="ask its sender for the file again, as the command wrote it; nobody has to edit it",
    )


def canonical(value: Any) -> bytes:
    """The one form of a value that is signed and hashed: keys sorted, no white space, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def digest(value: Any) -> str:
    """sha256 of the canonical form, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def in_groups(hexadecimal: str) -> str:
    """A fingerprint as people read it to each other: groups of four digits, more space between two fingerprints."""
    return "   ".join(
        " ".join(word[at : at + _GROUP] for at in range(0, len(word), _GROUP)) for word in hexadecimal.split()
    )


def write_instant(instant: datetime) -> str:
    """An aware instant as text, in UTC and to the second."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_instant(text: str, *, what: str) -> datetime:
    """The instant that `write_instant` wrote.

    Raises:
        RefusalError: The text is no instant in UTC.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise malformed(what, repr(text[:40]), "an instant is written like 2026-11-24T12:00:00Z, in UTC") from error


def _check_texts(found: Mapping[str, Any], *, what: str, of_lines: frozenset[str]) -> None:
    pending: list[tuple[str, Any]] = [("", found)]
    while pending:
        name, value = pending.pop()
        if isinstance(value, dict):
            pending += [("", key) for key in value]
            pending += value.items()
        elif isinstance(value, list):
            pending += [(name, entry) for entry in value]
        elif isinstance(value, str) and not _is_plain(value, of_lines=name in of_lines):
            raise malformed(
                what,
                f"a text of {len(value)} characters, {value[:_SHOWN_CHARACTERS]!r}",
                f"its texts are printable and, but for certificates, one line of at most {MAX_LINE_CHARACTERS} "
                "characters each",
            )


def _is_plain(text: str, *, of_lines: bool) -> bool:
    # Not printable are, besides control characters, those that turn the direction of writing and halves of pairs.
    if of_lines:
        return text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable()
    return len(text) <= MAX_LINE_CHARACTERS and text.isprintable()


def _no_fraction(text: str) -> int:
    raise ValueError(f"{text[:_SHOWN_CHARACTERS]} is no whole number")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found
