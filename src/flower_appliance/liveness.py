"""Whether a SuperNode is online, judged by what it does and says. It asks no server and believes no default.

Flower offers no local status. What flwr 1.41.0 prints at level INFO (observed 2026-11-24):

    SuperNode ID: N                                after the SuperLink activated the node, once per process
    Connection attempt failed, retrying in S ...   a call to the SuperLink failed; a running node makes one every 3 s
    Connection successful after ...                the next one got through

so a node is online from its id on until a call fails or its process ends, and again once a call gets through. A process
that ends with `[code: 2004]` was refused: it waits for its enrolment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

State = Literal["starting", "waiting", "online", "offline"]

_NODE_ID = re.compile(r"SuperNode ID: (\d+)\s*$")
_RETRYING = "Connection attempt failed, retrying"
_RECOVERED = "Connection successful after"
_NOT_ENROLLED = "[code: 2004]"


@dataclass(frozen=True, kw_only=True)
class Liveness:
    """What is known of the SuperNode process; every event gives a new value."""

    running: bool = False
    node_id: str = ""
    """Of the running process, decimal; node ids exceed 2^53 and stay text."""
    connected: bool = False
    refused: bool = False
    """The last process, or this one, was told that its key is not enrolled (or was signed off less than 60 s ago)."""
    was_online: bool = False

    def started(self) -> Liveness:
        """A new process runs; what the one before it reached does not count."""
        return Liveness(running=True, refused=self.refused, was_online=self.was_online)

    def exited(self) -> Liveness:
        """The process ended."""
        return replace(self, running=False, node_id="", connected=False)

    def turned_away(self) -> Liveness:
        """The SuperLink said, without a process having tried, that the key is not enrolled."""
        return replace(self, connected=False, refused=True)

    def said(self, line: str) -> Liveness:
        """The process printed a line."""
        if found := _NODE_ID.search(line):
            return replace(self, node_id=found[1], connected=True, refused=False, was_online=True)
        if _RETRYING in line:
            return replace(self, connected=False)
        if _RECOVERED in line and self.node_id:
            return replace(self, connected=True)
        if _NOT_ENROLLED in line:
            return replace(self, refused=True)
        return self

    @property
    def state(self) -> State:
        """FL_STATE of a node that is READY."""
        if self.connected:
            return "online"
        return "offline" if self.was_online and not self.refused else "waiting"
