"""Watches from the outside how long a SuperLink misses its nodes, in a thread, while a test changes things."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType

from pulumi_flower.control import ControlClient, Node, NodeState
from pulumi_flower.errors import FlowerError
from tests.yardstick import YARDSTICK

LOOK_PAUSE_S = 0.1


class Presence:
    """Asks the SuperLink several times a second; use it as a context manager around a change.

    How long a node was away is what the SuperLink wrote down itself: when the node signed off, or was heard of no more,
    until it signed on again. A SuperLink that does not answer misses every node: being unreachable is no better for a
    run than being away; that is timed here, as is a node that it does not know.

    Args:
        client: makes a client for each look, so that it always trusts what is right by then.
        names: nodes to look for.
        key: what a node is looked for by.

    Attributes:
        away_s: the longest time that each node was away.
        seen: states in the order of their changes, by node.
        departures: when each node signed off or was heard of no more; a look that comes late sees the latest.
        slowdown: how many times longer than on an idle machine a program took while a node was away. The suite runs
            other tests beside this one, and a limit in seconds is meant for machines that are there for the node.
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
        self.departures: dict[str, set[datetime]] = {name: set() for name in self.away_s}
        self._known_s: dict[str, float] = {}
        self._answered_s = 0.0
        self._began = datetime.now(UTC)
        self.slowdown = 1.0
        self._yardstick: subprocess.Popen[str] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Presence:
        self._answered_s = time.monotonic()
        self._known_s = dict.fromkeys(self.away_s, self._answered_s)
        self._began = datetime.now(UTC)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._look()
        self._read_yardstick(wait=True)

    def __str__(self) -> str:
        return f"away for {self.longest_s:.1f} s at most, on a machine {self.slowdown:.1f} times as slow: {self.seen}"

    @property
    def longest_s(self) -> float:
        """The longest absence of all."""
        return max(self.away_s.values())

    def within(self, limit_s: float) -> bool:
        """Whether some node was away, and none longer than a limit for a machine that is not busy otherwise."""
        return 0 < self.longest_s <= limit_s * self.slowdown

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_PAUSE_S):
            self._look()
            self._read_yardstick(wait=False)

    def _read_yardstick(self, *, wait: bool) -> None:
        if self._yardstick is None or not (wait or self._yardstick.poll() is not None):
            return
        said, _ = self._yardstick.communicate()
        self.slowdown = max(self.slowdown, float(said))
        self._yardstick = None

    def _look(self) -> None:
        began_s = time.monotonic()
        try:
            nodes = {
                self._key(node): node
                for node in self._client().list_nodes()
                if node.state is not NodeState.UNREGISTERED
            }
        except (FlowerError, OSError) as error:
            # Until it fails, a question may still be answered: only what is over counts.
            for name in self.away_s:
                self._note(name, f"no answer: {error}", began_s - self._answered_s)
            return
        self._answered_s = time.monotonic()
        for name in self.away_s:
            node = nodes.get(name)
            if node is None:
                self._note(name, "unknown", self._answered_s - self._known_s[name])
            else:
                self._known_s[name] = self._answered_s
                self._note(name, node.state.value, self._absence_s(name, node))

    def _absence_s(self, name: str, node: Node) -> float:
        """Seconds of the node's latest absence, as far as it lies in the time that is watched."""
        left, back = node.last_deactivated_at, node.last_activated_at
        if left is None or left < self._began:
            return 0.0
        self.departures[name].add(left)
        return ((back if back is not None and back > left else datetime.now(UTC)) - left).total_seconds()

    def _note(self, name: str, word: str, away_s: float) -> None:
        if word not in self.seen[name][-1:]:
            self.seen[name].append(word)
            if word != NodeState.ONLINE.value and self._yardstick is None:
                self._yardstick = subprocess.Popen([sys.executable, "-c", YARDSTICK], stdout=subprocess.PIPE, text=True)
        self.away_s[name] = max(self.away_s[name], away_s)
