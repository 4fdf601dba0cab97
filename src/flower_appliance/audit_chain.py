"""The audit as a chain: JSON lines, each with the hash of the line before it. It reads no log and writes no file.

Whoever changes, removes, adds or moves a line breaks the chain from there on. Whoever rewrites everything after a
point, or cuts lines off its end, makes a chain that is whole in itself: only a head that was published before,
`seq:hash`, shows that. So heads leave the machine (OneGate attribute FL_AUDIT_HEAD), and every line goes to the
journal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

FIRST_PREVIOUS = "0" * 64
"""What stands for the hash before the first line."""
_HEAD = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class Head:
    """The last line of a chain, or any line that vouches for all before it."""

    seq: int
    hash: str

    @staticmethod
    def parse(text: str) -> Head:
        """Read `seq:hash`.

        Raises:
            ValueError: it is something else.
        """
        match = _HEAD.fullmatch(text.strip())
        if match is None:
            raise ValueError(
                f"{text!r} is no head of an audit: a line's number, a colon, and its hash of 64 hex digits"
            )
        return Head(seq=int(match[1]), hash=match[2])

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One place where a chain does not hold."""

    line: int
    """Line of the file, from 1; one more than the file has where its end is missing."""
    what: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a look at a whole chain found."""

    lines: int
    head: Head | None
    """Of the last line; None for an empty file, and with an empty hash where that line cannot be read."""
    faults: tuple[Fault, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return not self.faults


def render(content: Mapping[str, Any]) -> str:
    """The one way to write a line: sorted names, no spaces, ASCII only."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def line_hash(content: Mapping[str, Any]) -> str:
    """Hash of a line's content, whatever `hash` it carries itself."""
    return sha256(render({key: value for key, value in content.items() if key != "hash"}).encode()).hexdigest()


def extend(head: Head | None, content: Mapping[str, Any]) -> tuple[str, Head]:
    """The next line of a chain, without its line end, and the new head."""
    linked = {
        **content,
        "seq": 1 if head is None else head.seq + 1,
        "prev": FIRST_PREVIOUS if head is None else head.hash,
    }
    own = line_hash(linked)
    return render({**linked, "hash": own}), Head(seq=linked["seq"], hash=own)


def read_line(line: str) -> dict[str, Any]:
    """One line's content, if it is whole in itself.

    Raises:
        ValueError: it is no line of a chain, or its content does not have its hash.
    """
    try:
        content = json.loads(line)
    except ValueError:
        raise ValueError("this is no JSON") from None
    if not isinstance(content, dict) or not isinstance(content.get("prev"), str):
        raise ValueError("this is no line of an audit")
    if not isinstance(content.get("seq"), int) or isinstance(content["seq"], bool):
        raise ValueError("this line has no number")
    if content.get("hash") != line_hash(content):
        raise ValueError("the content does not have the hash that it carries: it was changed")
    if render(content) != line:
        raise ValueError("it says the same in other characters than it was written in: it was changed")
    return content


def beginning(line: str) -> Head | None:
    """What a first line says that it follows; None for line 1, and for one that cannot be read.

    Nothing vouches for it: whoever removed the lines before can have written this one anew.
    """
    try:
        content = read_line(line)
    except ValueError:
        return None
    return Head(seq=content["seq"] - 1, hash=content["prev"]) if content["seq"] > 1 else None


def check_chain(
    lines: Iterable[str],
    *,
    published: Head | None = None,
    after: Head | None = None,
    each: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Verdict:
    """Look at a whole chain.

    Args:
        lines: without line ends, from the first.
        after: the line that the first one must follow, where those before it are kept elsewhere.
        published: a head that was seen outside of the machine at some time; the chain must contain it.
        each: is given every line's content, in order, as long as nothing was found.

    Returns:
        Every place where the chain does not hold, not only the first.
    """
    faults: list[Fault] = []
    head = after
    seen = published is None or (after is not None and published == after)
    number = 0
    for number, line in enumerate(lines, start=1):
        try:
            content = read_line(line)
        except ValueError as error:
            faults.append(Fault(line=number, what=str(error)))
            head = Head(seq=1 if head is None else head.seq + 1, hash="")
            continue
        faults += _link_faults(number, content, head)
        head = Head(seq=content["seq"], hash=content["hash"])
        if not faults:
            each(content)
        if published is not None and head.seq == published.seq:
            seen = True
            if head.hash != published.hash:
                what = f"line {head.seq} has another hash than was published for it: the audit was rewritten"
                faults.append(Fault(line=number, what=what))
    if published is not None and not seen:
        last = head.seq if head is not None else 0
        what = f"the audit ends with line {last}, but line {published.seq} was published: the end was cut off"
        faults.append(Fault(line=number + 1, what=what))
    return Verdict(lines=number, head=head, faults=tuple(faults))


def _link_faults(number: int, content: Mapping[str, Any], head: Head | None) -> list[Fault]:
    wanted = 1 if head is None else head.seq + 1
    seq = content["seq"]
    if seq > wanted:
        count = seq - wanted
        missing = f"line {wanted} is" if count == 1 else f"lines {wanted} to {seq - 1} are"
        return [Fault(line=number, what=f"{missing} not before line {seq}: removed, or moved")]
    if seq < wanted:
        return [Fault(line=number, what=f"line {seq} stands where line {wanted} belongs: moved, or added")]
    previous = FIRST_PREVIOUS if head is None else head.hash
    # A line that could not be read has no hash to compare with; that it is broken was said already.
    if previous and content["prev"] != previous:
        return [
            Fault(line=number, what=f"line {seq} follows another line than the one before it: that one was changed")
        ]
    return []
