"""Stand-ins for setup's tests: a runner that answers from a table, and an engine's files without an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flower_federation.engine_build import PROGRAMS
from flower_federation.processes import Finished, Progress

Answer = Callable[[list[str], Mapping[str, str]], Finished]


def finished(output: str = "", *, returncode: int = 0, timed_out: bool = False) -> Finished:
    """A program that ended like this."""
    return Finished(returncode=returncode, output=output, seconds=1.0, timed_out=timed_out)


@dataclass
class TableRunner:
    """Answers a program by the first entry whose words are all arguments of it (a program also by its name alone)."""

    answers: list[tuple[tuple[str, ...], Answer]] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)

    def on(self, *words: str, answer: Answer | Finished) -> TableRunner:
        """Add an answer."""
        reply = answer if callable(answer) else lambda _argv, _env, fixed=answer: fixed
        self.answers.append((words, reply))
        return self

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        timeout_s: float | None = None,
        progress: Progress | None = None,
    ) -> Finished:
        """Answer from the table; an unexpected program is a failed test."""
        words = [str(part) for part in argv]
        self.calls.append(words)
        self.environments.append(env)
        for wanted, reply in self.answers:
            if _matches(wanted, words):
                return reply(words, env)
        raise AssertionError(f"nothing answers {words}")

    def asked(self, *words: str) -> int:
        """How many calls had all these words."""
        return sum(_matches(words, call) for call in self.calls)


def _matches(wanted: Sequence[str], argv: Sequence[str]) -> bool:
    return all(any(word == part or part.endswith(f"/{word}") for part in argv) for word in wanted)


def put_programs(folder: Path, names: Sequence[str] = PROGRAMS) -> Path:
    """Files that look like an engine's programs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return folder
