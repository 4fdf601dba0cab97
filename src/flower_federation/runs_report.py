"""What a run's log says, and the table of it: rounds and refusals are JSON lines, everything else passes by.

Pure: it reads text and builds values. It takes no number from prose, and no JSON line that lacks a part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from flower_federation.terminal import table

_NOT_VERIFIED = 7
"""INVALID_FAB of flwr 1.41.0's ErrorCode: the node did not run the app, because nobody whom it trusts has signed it."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round as the app reported it.

    Attributes:
        number: counted from 1.
        loss: mean loss over all test rows.
        accuracy: fraction of test rows answered rightly.
        nodes: nodes that evaluated the model.
        examples: test rows, over all nodes.
        seconds: time from sending the round's first message to its last reply.
    """

    number: int
    loss: float
    accuracy: float
    nodes: int
    examples: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"round {self.number}: loss {self.loss:.4f}, accuracy {self.accuracy:.4f}, {self.nodes} nodes, "
            f"{self.seconds:.1f} s"
        )


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Nodes that sent an error instead of a result, all for one reason, as the app reported them.

    Attributes:
        number: the round, counted from 1.
        nodes: how many they were.
        asked: how many nodes replied, these included.
        code: flwr's ErrorCode.
        reason: what the nodes said.
    """

    number: int
    nodes: int
    asked: int
    code: int
    reason: str

    def __str__(self) -> str:
        said = f"{self.nodes} of {self.asked} nodes sent no result: {self.reason} (code {self.code})"
        if self.code == _NOT_VERIFIED:
            said += " Their zones run only apps that somebody on their list trustedEntities has signed"
        return said


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A run that completed.

    Attributes:
        run_id: its id in decimal; a text, since it exceeds 2^53.
        status: `finished:completed`.
        rounds: what its app reported, in order.
        refusals: nodes that took part in the run and sent errors, in order.
        seconds: time from submitting it to knowing its result.
    """

    run_id: str
    status: str
    rounds: tuple[Round, ...]
    seconds: float
    refusals: tuple[Refusal, ...] = ()


def parse_round(line: str) -> Round | None:
    """The round that a line of the log reports, None where it reports none."""
    try:
        found = _object(line)
        return Round(
            number=int(found["round"]),
            loss=float(found["loss"]),
            accuracy=float(found["accuracy"]),
            nodes=int(found["nodes"]),
            examples=int(found["examples"]),
            seconds=float(found["seconds"]),
        )
    except (ValueError, TypeError, KeyError):
        return None


def parse_refusal(line: str) -> Refusal | None:
    """The nodes without a result that a line of the log reports, None where it reports none."""
    try:
        found = _object(line)
        return Refusal(
            number=int(found["round"]),
            nodes=int(found["failed"]),
            asked=int(found["asked"]),
            code=int(found["code"]),
            reason=str(found["reason"]),
        )
    except (ValueError, TypeError, KeyError):
        return None


def _object(line: str) -> Mapping[str, Any]:
    """A line that is one JSON object and nothing else. Raises ValueError for any other."""
    text = line.strip()
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError(text)
    found: Mapping[str, Any] = json.loads(text)
    return found


class LineReader:
    """Puts lines together from pieces that cut them anywhere."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, piece: str) -> list[str]:
        """The lines that this piece completes, without their ends."""
        *lines, self._rest = (self._rest + piece).split("\n")
        return lines

    def close(self) -> list[str]:
        """What is left where the log ends without a line end: one line or none."""
        rest, self._rest = self._rest, ""
        return [rest] if rest else []


def rounds_table(result: RunResult) -> Table:
    """The rounds of a run, for a terminal."""
    headings = ("round", "loss", "accuracy", "nodes", "test rows", "seconds")
    shown = table(*headings, title=f"run {result.run_id}: {result.status} in {result.seconds:.0f} s", numbers=True)
    for cells in _cells(result.rounds):
        shown.add_row(*cells)
    return shown


def _cells(rounds: Sequence[Round]) -> list[tuple[str, ...]]:
    return [
        (
            str(each.number),
            f"{each.loss:.4f}",
            f"{each.accuracy:.4f}",
            str(each.nodes),
            str(each.examples),
            f"{each.seconds:.1f}",
        )
        for each in rounds
    ]
