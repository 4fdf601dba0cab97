"""The client of the control API. It uses the standard library only, and waits for every answer."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from zonebox import sockets
from zonebox.errors import ControlError

SOCKET_NAME: Final = "control.sock"
ANSWER_TIMEOUT_S: Final = 30.0
"""Longest wait for an answer: a clock that is advanced lets everything run that waited for it."""
_LAST_GOOD_STATUS: Final = 299


@dataclass(frozen=True, kw_only=True)
class FaultReport:
    """A fault and what it has met."""

    id: int
    pattern: str
    effect: str
    count: int | None
    """How many matches it meets; None for all until it is cleared."""
    skip: int
    """How many matches pass first."""
    seen: int
    """Matches so far, the skipped ones too."""
    met: int
    """Matches that it did something to."""
    spent: bool
    """Whether it does nothing any more."""


class Control:
    """Breaks a zone, for tests.

    Patterns name methods (`one.vm.*`), requests (`oneflow POST /service/*`, `onegate PUT /vm`) and phases of VMs
    (`prolog NAME`, `boot NAME`, `stop NAME`, `hotplug NAME`); `*`, `?` and `[...]` stand for any text, any character,
    one of several.

    Args:
        state: the zone's folder.
        timeout_s: longest wait for an answer.
    """

    def __init__(self, state: Path, *, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._path = state / SOCKET_NAME
        self._timeout_s = timeout_s

    def fail(
        self, pattern: str, *, times: int | None = None, skip: int = 0, text: str = "fault injected", code: int = 0
    ) -> int:
        """Refuse what matches; it is not done.

        Args:
            pattern: see the class.
            times: how many matches; None for all until `clear`.
            skip: how many matches pass first.
            text: the message.
            code: oned's code, or an HTTP status; 0 for 8192 of oned and 503 of the others.

        Returns:
            The fault's number, for `clear`.

        Raises:
            ControlError: the fault could do nothing, or no control API answers.
        """
        return self._add(pattern, "fail", times, skip, text=text, code=code)

    def delay(self, pattern: str, delay_s: float, *, times: int | None = None, skip: int = 0) -> int:
        """Do what matches `delay_s` seconds (of the zone's clock) later. Args, Returns and Raises: see `fail`."""
        return self._add(pattern, "delay", times, skip, delay_s=delay_s)

    def hang(self, pattern: str, *, times: int | None = None, skip: int = 0) -> int:
        """Do what matches only after the fault is cleared. Args, Returns and Raises: see `fail`."""
        return self._add(pattern, "hang", times, skip)

    def drop(self, pattern: str, *, times: int | None = None, skip: int = 0) -> int:
        """Close the connection and do nothing. Args, Returns and Raises: see `fail`."""
        return self._add(pattern, "drop", times, skip)

    def lose(self, pattern: str, *, times: int | None = None, skip: int = 0) -> int:
        """Do what matches and close the connection without an answer. Args, Returns and Raises: see `fail`."""
        return self._add(pattern, "lose", times, skip)

    def faults(self) -> list[FaultReport]:
        """Every fault that was not cleared, the spent ones too."""
        return [FaultReport(**item) for item in self._ask("GET", "/faults")["faults"]]

    def clear(self, fault: int | None = None) -> int:
        """Remove one fault, or all; what hangs goes on. How many there were. Raises ControlError."""
        return int(self._ask("DELETE", "/faults" if fault is None else f"/faults/{fault}")["cleared"])

    def kill(self, vm_id: int) -> None:
        """End a guest as a crash would. Raises ControlError where it does not run or the driver cannot."""
        self._ask("POST", f"/vms/{vm_id}/kill")

    def freeze(self, vm_id: int) -> None:
        """Halt a guest, as when its host hangs. Raises as `kill`."""
        self._ask("POST", f"/vms/{vm_id}/freeze")

    def thaw(self, vm_id: int) -> None:
        """Let a frozen guest go on. Raises as `kill`."""
        self._ask("POST", f"/vms/{vm_id}/thaw")

    def fill(self, datastore_id: int, *, free_mb: int = 0) -> None:
        """Leave a datastore that much room, in MiB. Raises ControlError."""
        self._ask("POST", f"/datastores/{datastore_id}/fill", {"free_mb": free_mb})

    def empty(self, datastore_id: int) -> None:
        """Give a datastore back the room that `fill` took. Raises ControlError."""
        self._ask("POST", f"/datastores/{datastore_id}/empty")

    def now(self) -> float:
        """The zone's time: seconds since 1970."""
        return float(self._ask("GET", "/clock")["now"])

    def advance(self, seconds: float) -> float:
        """Move the zone's clock ahead; its new time. Who waited for that runs before this returns."""
        return float(self._ask("POST", "/clock/advance", {"seconds": seconds})["now"])

    def counts(self) -> dict[str, int]:
        """Requests to the three servers by name, numbers in paths collapsed to ID."""
        return dict(self._ask("GET", "/traffic")["counts"])

    def busiest_second(self) -> int:
        """Most requests to the three servers within any second."""
        return int(self._ask("GET", "/traffic")["busiest_second"])

    def reset_counts(self) -> None:
        """Count from nothing again."""
        self._ask("DELETE", "/traffic")

    def _add(self, pattern: str, effect: str, times: int | None, skip: int, **more: Any) -> int:
        body = {"pattern": pattern, "effect": effect, "count": times, "skip": skip, **more}
        return int(self._ask("POST", "/faults", body)["id"])

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        connection = _UnixConnection(self._path, self._timeout_s)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ControlError(
                str(self._path),
                "a control API must listen there",
                "the zone does not run, or was started without it",
                "Start the zone with `zonebox up --control ...`, and give its --state folder.",
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ControlError(
                f"{method} {path}",
                f"it must be answered within {self._timeout_s:g} s",
                f"{type(error).__name__}: {error}",
                "See the zone's log, STATE/zone.log, or wait longer (timeout_s).",
            ) from error
        finally:
            connection.close()
        if response.status > _LAST_GOOD_STATUS:
            raise ControlError(*answer["error"])
        return answer


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("zonebox", timeout=timeout_s)
        self._path = path
        self._timeout_s = timeout_s

    def connect(self) -> None:
        """Connect to the path instead of a host."""
        self.sock: socket.socket = sockets.connected(self._path, self._timeout_s)
