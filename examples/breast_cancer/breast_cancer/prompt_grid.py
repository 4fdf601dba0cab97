"""A grid that notices replies soon: Flower's own looks for them every three seconds (flwr 1.41.0, http_grid.py).

Everything but the wait for replies is left to the grid that it wraps.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

POLL_INTERVAL_S = 0.3


class PromptGrid(Grid):
    """Wraps the grid that Flower hands to a ServerApp.

    Args:
        grid: what Flower handed over.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid

    def set_run(self, run):  # type: ignore[no-untyped-def]
        """As the wrapped grid."""
        self._grid.set_run(run)

    @property
    def run(self):  # type: ignore[no-untyped-def]
        """As the wrapped grid."""
        return self._grid.run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """As the wrapped grid."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        """As the wrapped grid."""
        return self._grid.get_node_ids()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """As the wrapped grid."""
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """As the wrapped grid."""
        return self._grid.pull_messages(message_ids)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Send the messages and return the replies that came within `timeout` seconds, or all if it is None."""
        waiting = set(self._grid.push_messages(messages))
        deadline = None if timeout is None else time.monotonic() + timeout
        replies: list[Message] = []
        while waiting and (deadline is None or time.monotonic() < deadline):
            came = list(self._grid.pull_messages(waiting))
            replies += came
            waiting -= {message.metadata.reply_to_message_id for message in came}
            if waiting:
                time.sleep(POLL_INTERVAL_S)
        return replies
