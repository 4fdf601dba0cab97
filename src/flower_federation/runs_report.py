"""What a run's log says, and the table of it: rounds are read from JSON lines, everything else passes by.

Pure: it reads text and builds values. It takes no number from prose, and no JSON line that lacks a part for a round.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table


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


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A run that completed.

    Attributes:
        run_id: its id in decimal; a text, since it exceeds 2^53.
        status: `finished:completed`.
        rounds: what its app reported, in order.
        seconds: time from submitting it to knowing its result.
    """

    run_id: str
    status: str
    rounds: tuple[Round, ...]
    seconds: float


def parse_round(line: str) -> Round | None:
    """The round that a line of the log reports, None where it reports none."""
    text = line.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return None
    try:
        found = json.loads(text)
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
    table = Table(title=f"run {result.run_id}: {result.status} in {result.seconds:.0f} s")
    for heading in ("round", "loss", "accuracy", "nodes", "test rows", "seconds"):
        table.add_column(heading, justify="right")
    for cells in _cells(result.rounds):
        table.add_row(*cells)
    return table


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
