"""Starting programs: their output, their limits and their end; and how steps are printed."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
from pathlib import Path

import pytest

from flower_federation import processes
from flower_federation.console import Console
from flower_federation.errors import ToolError
from flower_federation.processes import require, run_process
from tests.patience import PATIENCE_S
from tests.setup_support import finished

ENV = {"PATH": os.environ["PATH"]}


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-c", code]


def test_both_streams_and_the_status_of_a_program_are_kept(tmp_path: Path) -> None:
    code = "import sys, os; print(os.getcwd()); print('err', file=sys.stderr); sys.exit(3)"
    result = run_process(python(code), env=ENV, cwd=tmp_path)
    assert result.returncode == 3
    assert set(result.output.split()) == {str(tmp_path), "err"}


def test_a_missing_program_is_status_127_and_not_an_exception() -> None:
    result = run_process(["/nonexistent/program"], env=ENV)
    assert result.returncode == 127
    assert "/nonexistent/program" in result.output


def test_a_program_past_its_limit_is_ended_with_its_children(tmp_path: Path) -> None:
    child_runs = tmp_path / "child-runs"
    # The child keeps the program's output open until it ends.
    read_end, write_end = os.pipe()
    script = f"sleep 600 & touch {child_runs}; wait"
    for timeout_s in (0.5, 5.0, PATIENCE_S):
        argv = ["sh", "-c", f"exec 3>/proc/{os.getpid()}/fd/{write_end}; {script}"]
        result = run_process(argv, env=ENV, timeout_s=timeout_s)
        if child_runs.exists():
            break  # a busy machine may not get so far in half a second
    os.close(write_end)
    assert result.timed_out
    assert result.returncode == -signal.SIGKILL
    assert child_runs.exists()
    held_open = select.poll()
    held_open.register(read_end)
    assert held_open.poll(PATIENCE_S * 1000) == [(read_end, select.POLLHUP)], "the program's child outlived it"
    os.close(read_end)


def test_progress_is_reported_with_the_lines_so_far(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "PROGRESS_EVERY_S", 0.05)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seen: list[int] = []

    def progress(seconds: float, lines: int) -> None:
        assert seconds >= 0
        if lines == 2 and 2 not in seen:
            # Opening the pipe lets the program end.
            gate.write_text("go")
        seen.append(lines)

    code = f"print('one\\ntwo', flush=True); open({str(gate)!r}).read()"
    result = run_process(python(code), env=ENV, progress=progress, timeout_s=60)
    assert (result.returncode, result.timed_out) == (0, False)
    assert 2 in seen


def test_requiring_success_passes_a_result_on_and_turns_failures_into_errors() -> None:
    good = finished("fine")
    assert require(good, what="it", reason="r", remedy="m") is good
    with pytest.raises(ToolError, match=r"(?s)it ended with status 4.*\nlast words") as refusal:
        require(finished("first\nlast words", returncode=4), what="it", reason="because", remedy="do this")
    assert (refusal.value.reason, refusal.value.remedy, refusal.value.exit_code) == ("because", "do this", 4)
    with pytest.raises(ToolError, match="ran past its limit"):
        require(finished(timed_out=True), what="it", reason="r", remedy="m")


def test_an_errors_text_has_its_four_parts() -> None:
    text = str(ToolError(given="GIVEN", rule="RULE", reason="REASON", remedy="REMEDY"))
    assert [part for part in ("GIVEN", "RULE", "REASON", "REMEDY") if part not in text] == []


def console(*, quiet: bool = False) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    ticks = iter(range(100))
    return Console(stream=stream, clock=lambda: float(next(ticks)), total=2, quiet=quiet), stream


def test_steps_are_numbered_and_say_what_came_of_them_and_how_long_they_took() -> None:
    steps, stream = console()
    with steps.step("First") as step:
        step.note("working")
        step.done("made")
    assert stream.getvalue() == "[1/2] First\n      working\n      made (1.0 s)\n"
    assert [(result.title, result.outcome, result.seconds) for result in steps.results] == [("First", "made", 1.0)]


def test_a_step_that_raises_is_printed_as_failed_also_where_quiet() -> None:
    for quiet in (False, True):
        steps, stream = console(quiet=quiet)
        with pytest.raises(ValueError, match="no"), steps.step("First"):
            raise ValueError("no")
        assert stream.getvalue() == "[1/2] First\n      failed (1.0 s)\n"


def test_a_quiet_console_prints_only_steps_that_had_something_to_say() -> None:
    steps, stream = console(quiet=True)
    with steps.step("First"):
        pass
    steps.closing("ready")
    assert stream.getvalue() == ""
    with steps.step("Second") as step:
        step.note("working")
    steps.closing("ready")
    assert stream.getvalue() == "[2/2] Second\n      working\n      done (1.0 s)\nready\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_is_noted_where_nothing_may_be_cut_off_and_raises_afterwards_as_before(
    number: signal.Signals,
) -> None:
    before = signal.getsignal(number)
    with processes.interrupts_noted() as noted:
        signal.raise_signal(number)
        # What is started here gets its signals as ever.
        ended = run_process(python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)"), env=ENV)
    assert noted == [number]
    assert ended.returncode == -signal.SIGTERM
    assert signal.getsignal(number) is before
