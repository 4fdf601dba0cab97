"""Watches from the outside how long a SuperLink misses its nodes, in a thread, while a test changes things."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType

from pulumi_flower.control import ControlClient, Node, NodeState
from pulumi_flower.errors import FlowerError

LOOK_PAUSE_S = 0.1


class Presence:
    """Asks the SuperLink several times a second; use it as a context manager around a change.

    A SuperLink that does not answer misses every node: being unreachable is no better for a run than being away.

    Args:
        client: makes a client for each look, so that it always trusts what is right by then.
        names: nodes to look for.
        key: what a node is looked for by.

    Attributes:
        away_s: the longest time that each node was missed, from the last look that saw it to the next.
        seen: states in the order of their changes, by node.
    """

    def __init__(
        self,
        client: Callable[[], ControlClient],
        names: Iterable[str],
        *,
        key: Callable[[Node], str] = lambda node: str(node.name),
    ) -> None:
        self._client = client
        self._key = key
        self.away_s = dict.fromkeys(names, 0.0)
        self.seen: dict[str, list[str]] = {name: [] for name in self.away_s}
        self._last_s: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Presence:
        now = time.monotonic()
        self._last_s = dict.fromkeys(self.away_s, now)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30)
        self._look()

    @property
    def longest_s(self) -> float:
        """The longest absence of all."""
        return max(self.away_s.values())

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_PAUSE_S):
            self._look()

    def _look(self) -> None:
        try:
            states = {
                self._key(node): node.state
                for node in self._client().list_nodes()
                if node.state is not NodeState.UNREGISTERED
            }
        except (FlowerError, OSError) as error:
            states = {}
            told = f"no answer: {error}"
        else:
            told = "unknown"
        now = time.monotonic()
        for name in self.away_s:
            state = states.get(name)
            word = told if state is None else state.value
            if word not in self.seen[name][-1:]:
                self.seen[name].append(word)
            if state is NodeState.ONLINE:
                self._last_s[name] = now
            self.away_s[name] = max(self.away_s[name], now - self._last_s[name])
