"""Runs an app on a federation: submits it, follows its rounds, and tells the real result.

A run counts as done only when the SuperLink itself calls it `finished:completed`. It repeats no run, and leaves none
behind: one that is given up is stopped.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from flower_federation.processes import Runner, interrupts_noted, run_process
from flower_federation.runs_cli import App, RunConfig, submit, write_flwr_home
from flower_federation.runs_errors import RunFailedError, RunTimeoutError
from flower_federation.runs_report import LineReader, Refusal, Round, RunResult, parse_refusal, parse_round
from pulumi_flower.control import ControlClient, LogPiece, Run
from pulumi_flower.errors import RefusedError, SuperLinkError, UnreachableError

COMPLETED: Final = "finished:completed"
DEFAULT_TIMEOUT_S: Final = 600.0
OUTAGE_S: Final = 60.0
"""How long the SuperLink may stay away: its supervisor restarts it within seconds."""

PAUSE_S: Final = 0.5
TAIL_LINES: Final = 30

_GATEWAY_STATUSES: Final = frozenset({502, 503, 504})


class RunClient(Protocol):
    """What is asked of the SuperLink; `pulumi_flower.ControlClient` is one."""

    def find_run(self, run_id: int) -> Run | None:
        """The run with this id."""
        ...

    def stop_run(self, run_id: int) -> bool:
        """Stop the run."""
        ...

    def stream_logs(self, run_id: int, *, after: float = ...) -> Iterator[LogPiece]:
        """The run's log from there on."""
        ...


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What to run, and where.

    Attributes:
        app: folder of the Flower app, or its name at the SuperLink's hub.
        endpoint: `host:port` of the Control API.
        ca_certificate: the federation CA's certificate in PEM.
        flwr: Flower's CLI.
        home: folder for the CLI's configuration; made where it is missing.
        run_config: overrides of the app's configuration.
        timeout_s: seconds until the run is stopped and counts as failed.
    """

    app: App
    endpoint: str
    ca_certificate: str
    flwr: Path
    home: Path
    run_config: RunConfig = field(default_factory=dict)
    timeout_s: float = DEFAULT_TIMEOUT_S


def run_app(
    request: RunRequest,
    *,
    environment: Mapping[str, str],
    on_round: Callable[[Round], None],
    on_refusal: Callable[[Refusal], None] = lambda refusal: None,
    runner: Runner = run_process,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RunResult:
    """Submit the app, follow it to its end and return what it reported.

    Args:
        request: what to run, and where.
        environment: the caller's environment, for the CLI.
        on_round: called with each round as soon as the app reports it.
        on_refusal: called with nodes that sent an error instead of a result, as soon as the app reports them.
        runner: starts programs.
        clock: monotonic seconds.
        sleep: waits so many seconds.

    Raises:
        InputError: the app or its configuration cannot be used.
        SubmitError: no run was started.
        RunFailedError: the run did not complete; the error ends with the end of its log.
        RunTimeoutError: the run took too long and was stopped.
        pulumi_flower.FlowerError: the SuperLink cannot be asked.
    """
    started = clock()
    client = ControlClient(request.endpoint, request.ca_certificate)
    write_flwr_home(request.home, endpoint=request.endpoint, ca_certificate=request.ca_certificate)
    # Cut off, the CLI may have submitted a run whose id nobody learns: it would wait for nodes, and take them.
    with interrupts_noted() as noted:
        run_id = submit(
            app=request.app,
            flwr=request.flwr,
            home=request.home,
            run_config=request.run_config,
            environment=environment,
            runner=runner,
        )
    if noted:
        with contextlib.suppress(SuperLinkError):
            client.stop_run(run_id)
        raise KeyboardInterrupt
    follower = Follower(client, run_id, on_round=on_round, on_refusal=on_refusal, clock=clock, sleep=sleep)
    run = follower.follow(deadline=started + request.timeout_s)
    if run.label != COMPLETED:
        raise RunFailedError(
            given=f"run {run_id} of {request.app} ended as {run.label}{_details(run)}\n{follower.tail}",
            rule=f"must end as {COMPLETED}",
            reason="the exit status of `flwr run` says nothing about it, the SuperLink does",
            remedy="Read the end of its log above, and the SuperNodes' logs for errors in the app's ClientApp",
        )
    return RunResult(
        run_id=str(run_id),
        status=run.label,
        rounds=tuple(follower.rounds),
        seconds=clock() - started,
        refusals=tuple(follower.refusals),
    )


class Follower:
    """Follows one run to its end, through interruptions of the connection.

    Args:
        client: the SuperLink.
        run_id: the run.
        on_round: called with each round as soon as the app reports it.
        on_refusal: called with nodes that sent an error instead of a result.
        clock: monotonic seconds.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        client: RunClient,
        run_id: int,
        *,
        on_round: Callable[[Round], None],
        on_refusal: Callable[[Refusal], None] = lambda refusal: None,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._on_round = on_round
        self._on_refusal = on_refusal
        self._clock = clock
        self._sleep = sleep
        self._reader = LineReader()
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._after = 0.0
        self.rounds: list[Round] = []
        self.refusals: list[Refusal] = []

    @property
    def tail(self) -> str:
        """The last lines of the run's log."""
        return "\n".join(self._lines)

    def follow(self, *, deadline: float) -> Run:
        """Read the log until the run is over, and return the run as the SuperLink then knows it.

        Args:
            deadline: on the clock; a run that is not over by then is stopped.

        Raises:
            RunTimeoutError: it was not.
            SuperLinkError: the SuperLink stayed away for more than a minute, or refused.
        """
        finished = False
        try:
            run = self._follow(deadline)
            finished = True
            return run
        finally:
            if not finished:
                # Also on Ctrl-C. What led here matters more than that stopping fails as well.
                with contextlib.suppress(SuperLinkError):
                    self._client.stop_run(self._run_id)

    def _follow(self, deadline: float) -> Run:
        lost_since: float | None = None
        while True:
            try:
                self._read(deadline)
                run = self._client.find_run(self._run_id)
                lost_since = None
            except SuperLinkError as err:
                lost_since = self._clock() if lost_since is None else lost_since
                if not _is_outage(err) or self._clock() - lost_since > OUTAGE_S:
                    raise
                self._check(deadline)
                self._sleep(PAUSE_S)
                continue
            if run is None:
                raise self._vanished()
            if run.finished:
                # The stream can end before it has given the last lines (ControlClient.stream_logs).
                self._read(deadline)
                self._take(self._reader.close())
                return run
            self._check(deadline)
            self._sleep(PAUSE_S)

    def _read(self, deadline: float) -> None:
        # A stream that is silent for the client's timeout raises UnreachableError; whether the SuperLink is really
        # away is for find_run to say.
        with contextlib.suppress(UnreachableError):
            for piece in self._client.stream_logs(self._run_id, after=self._after):
                self._after = max(self._after, piece.timestamp)
                self._take(self._reader.feed(piece.text))
                self._check(deadline)

    def _take(self, lines: list[str]) -> None:
        for line in lines:
            self._lines.append(line)
            reported = parse_round(line)
            if reported is not None:
                self.rounds.append(reported)
                self._on_round(reported)
            refused = parse_refusal(line)
            if refused is not None:
                self.refusals.append(refused)
                self._on_refusal(refused)

    def _check(self, deadline: float) -> None:
        if self._clock() > deadline:
            raise RunTimeoutError(
                given=f"run {self._run_id} is not over, {len(self.rounds)} rounds in; it is stopped\n{self.tail}",
                rule="must be over within the time given",
                reason="a run waits without end for nodes that do not come",
                remedy="See that as many nodes are online as the app's min-nodes asks for, or allow more time",
            )

    def _vanished(self) -> RunFailedError:
        return RunFailedError(
            given=f"run {self._run_id} is unknown to the SuperLink\n{self.tail}",
            rule="must be known to the SuperLink that accepted it",
            reason="a SuperLink that lost its database has lost its nodes as well",
            remedy="See that the SuperLink keeps its database (--database) on a disk that survives a restart",
        )


def _is_outage(err: SuperLinkError) -> bool:
    return isinstance(err, UnreachableError) or (isinstance(err, RefusedError) and err.status in _GATEWAY_STATUSES)


def _details(run: Run) -> str:
    return f" ({run.details})" if run.details else ""
