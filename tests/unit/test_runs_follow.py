"""How a run is followed: through silence, restarts and lost ends of logs, to its real result."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flower_federation import runs
from flower_federation.processes import Finished
from flower_federation.runs import OUTAGE_S, Follower, RunRequest, run_app
from flower_federation.runs_errors import RunFailedError, RunTimeoutError
from flower_federation.runs_report import Refusal, Round
from pulumi_flower.control import LogPiece, Run
from pulumi_flower.errors import RefusedError, SuperLinkError, UnreachableError

RUN_ID = 2**64 - 59
PARTS = {"value": "v", "rule": "r", "reason": "r", "remedy": "r"}
AWAY = UnreachableError(**PARTS)
GATEWAY = RefusedError(status=502, code=None, **PARTS)
RUNNING = Run(run_id=RUN_ID, status="running", sub_status="", details="")
COMPLETED = Run(run_id=RUN_ID, status="finished", sub_status="completed", details="")


def report(number: int) -> str:
    return json.dumps({"round": number, "loss": 0.1, "accuracy": 0.9, "nodes": 3, "examples": 57, "seconds": 9})


def piece(text: str, timestamp: float) -> LogPiece:
    return LogPiece(text=text, timestamp=timestamp)


@dataclass
class Scripted:
    """A SuperLink that answers from two lists; the last entry of each answers again and again."""

    logs: list[list[LogPiece | SuperLinkError]]
    runs: list[Run | SuperLinkError | None]
    now_s: float = 0.0
    stopped: list[int] = field(default_factory=list)
    asked_after: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def find_run(self, run_id: int) -> Run | None:
        run = self.runs.pop(0) if len(self.runs) > 1 else self.runs[0]
        if isinstance(run, SuperLinkError):
            raise run
        return run

    def stop_run(self, run_id: int) -> bool:
        self.stopped.append(run_id)
        return True

    def stream_logs(self, run_id: int, *, after: float = 0.0) -> Iterator[LogPiece]:
        self.asked_after.append(after)
        for found in self.logs.pop(0) if len(self.logs) > 1 else self.logs[0]:
            if isinstance(found, SuperLinkError):
                raise found
            yield found

    def follow(self, deadline: float = 100.0) -> tuple[Run, Follower, list[Round]]:
        told: list[Round] = []
        follower = Follower(self, RUN_ID, on_round=told.append, clock=self.clock, sleep=self.sleep)
        return follower.follow(deadline=deadline), follower, told


def test_rounds_are_told_in_order_and_once() -> None:
    superlink = Scripted(
        logs=[[piece(f"start\n{report(1)}\n", 1.0), piece(f"{report(2)}\n", 2.0)], []], runs=[COMPLETED]
    )
    run, follower, told = superlink.follow()
    assert run is COMPLETED
    assert [each.number for each in told] == [1, 2]
    assert follower.rounds == told
    assert superlink.stopped == []


def test_the_end_of_the_log_that_the_stream_left_out_is_asked_for_after_the_run() -> None:
    superlink = Scripted(logs=[[piece(f"{report(1)}\n", 1.0)], [piece(report(2), 2.0)]], runs=[COMPLETED])
    _, _, told = superlink.follow()
    assert [each.number for each in told] == [1, 2]
    assert superlink.asked_after == [0.0, 1.0]


def test_nodes_that_refuse_are_told_at_once_and_kept_beside_the_rounds() -> None:
    refused = json.dumps({"round": 1, "failed": 1, "asked": 3, "code": 7, "reason": "not verified"})
    superlink = Scripted(logs=[[piece(f"{refused}\n{report(1)}\n", 1.0)], []], runs=[COMPLETED])
    told: list[Refusal] = []
    follower = Follower(
        superlink,
        RUN_ID,
        on_round=lambda ended: None,
        on_refusal=told.append,
        clock=superlink.clock,
        sleep=superlink.sleep,
    )
    follower.follow(deadline=100)
    assert told == follower.refusals == [Refusal(number=1, nodes=1, asked=3, code=7, reason="not verified")]
    assert [each.number for each in follower.rounds] == [1]


def test_a_long_silence_is_no_end() -> None:
    superlink = Scripted(
        logs=[[piece(f"{report(1)}\n", 1.0), AWAY], [piece(f"{report(2)}\n", 2.0)], []], runs=[RUNNING, COMPLETED]
    )
    _, _, told = superlink.follow()
    assert [each.number for each in told] == [1, 2]


@pytest.mark.parametrize("outage", [AWAY, GATEWAY], ids=["no connection", "gateway without SuperLink"])
def test_a_superlink_that_restarts_is_waited_for(outage: SuperLinkError) -> None:
    superlink = Scripted(logs=[[]], runs=[RUNNING, outage, outage, COMPLETED])
    run, _, _ = superlink.follow()
    assert run is COMPLETED
    assert superlink.stopped == []


def test_a_superlink_that_stays_away_is_given_up_after_a_minute() -> None:
    superlink = Scripted(logs=[[]], runs=[AWAY])
    with pytest.raises(UnreachableError):
        superlink.follow(deadline=10_000)
    assert OUTAGE_S <= superlink.now_s <= OUTAGE_S + 2


def test_a_refusal_is_not_waited_out() -> None:
    superlink = Scripted(logs=[[]], runs=[RefusedError(status=403, code=None, **PARTS)])
    with pytest.raises(RefusedError):
        superlink.follow()
    assert superlink.now_s == 0


def test_a_run_that_takes_too_long_is_stopped_and_the_error_shows_its_log() -> None:
    superlink = Scripted(logs=[[piece("Waiting for nodes to connect\n", 1.0)], []], runs=[RUNNING])
    with pytest.raises(RunTimeoutError, match="Waiting for nodes to connect"):
        superlink.follow(deadline=5)
    assert superlink.stopped == [RUN_ID]


def test_an_interrupted_wait_stops_the_run() -> None:
    superlink = Scripted(logs=[[]], runs=[RUNNING])

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    follower = Follower(superlink, RUN_ID, on_round=lambda told: None, clock=superlink.clock, sleep=interrupt)
    with pytest.raises(KeyboardInterrupt):
        follower.follow(deadline=100)
    assert superlink.stopped == [RUN_ID]


def test_a_run_that_the_superlink_forgot_is_an_error_about_its_database() -> None:
    superlink = Scripted(logs=[[]], runs=[None])
    with pytest.raises(RunFailedError, match="--database"):
        superlink.follow()


def test_only_the_end_of_a_long_log_is_kept() -> None:
    text = "".join(f"line {number}\n" for number in range(1000))
    _, follower, _ = Scripted(logs=[[piece(text, 1.0)], []], runs=[COMPLETED]).follow()
    assert follower.tail.splitlines()[0] == "line 970"
    assert follower.tail.splitlines()[-1] == "line 999"


def test_an_interrupt_while_the_app_is_submitted_leaves_no_run_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    superlink = Scripted(logs=[[]], runs=[RUNNING])
    monkeypatch.setattr(runs, "ControlClient", lambda *_: superlink)
    (tmp_path / "pyproject.toml").touch()

    def submitting(*_: object, **__: object) -> Finished:
        signal.raise_signal(signal.SIGINT)
        return Finished(returncode=0, output=json.dumps({"success": True, "run-id": str(RUN_ID)}), seconds=1.0)

    request = RunRequest(app=tmp_path, endpoint="e", ca_certificate="c", flwr=Path("flwr"), home=tmp_path / "home")
    with pytest.raises(KeyboardInterrupt):
        run_app(request, environment={}, on_round=lambda told: None, runner=submitting)
    assert superlink.stopped == [RUN_ID]
