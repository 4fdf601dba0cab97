"""Every block of docs/reference/testing.md runs: its test files in sessions of their own, its commands in a shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from zonebox.loopback import free_address

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "testing.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
NAMED = {text.split("\n", 1)[0].removeprefix("# "): text for kind, text in BLOCKS if text.startswith("# ")}
BIN = Path(sys.executable).parent
TESTS = {"test_my_tool.py": 3, "test_faults.py": 8, "test_clock.py": 2}
LOOP = "from zonebox.clock import ManualClock"


def test_every_block_is_run_here_or_is_said_not_to_be() -> None:
    run = [*TESTS, "test_my_program.py", "templates.py"]
    assert sorted(NAMED) == sorted(run)
    rest = [(kind, text) for kind, text in BLOCKS if not text.startswith("# ")]
    assert [kind for kind, _ in rest] == ["console", "python", "text"]
    assert rest[1][1].startswith(LOOP)
    assert "front-end" in rest[2][1], "only the block for a real OpenNebula cannot be run"


def test_the_test_files_of_the_page_pass(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(**{name.removesuffix(".py"): NAMED[name] for name in TESTS})
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=sum(TESTS.values()))
    for name, count in TESTS.items():
        assert NAMED[name].count("\ndef test_") == count


@pytest.mark.engine
@pytest.mark.slow
def test_the_program_of_the_page_is_tested_by_its_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_SKIP_UPDATE_CHECK", "true")
    monkeypatch.setenv("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true")
    pytester.makepyfile(test_my_program=NAMED["test_my_program.py"])
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)


def test_the_commands_of_the_page_run_and_the_fault_is_met(tmp_path: Path) -> None:
    (commands,) = (text for kind, text in BLOCKS if kind == "console")
    (tmp_path / "templates.py").write_text(NAMED["templates.py"])
    commands = commands.replace("127.0.0.1", free_address())
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    try:
        done = subprocess.run(
            ["bash", "-eu", "-c", commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        subprocess.run([BIN / "zonebox", "down", "--state", tmp_path / "dev"], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "['template-0']" in done.stdout
    assert "refused, as it was told" in done.stdout
    assert "the disk is full" in done.stderr
    assert re.search(r"2 +one\.template\.allocate", done.stdout)


async def test_the_zone_in_an_event_loop_of_its_own_runs(tmp_path: Path) -> None:
    (source,) = (text for _, text in BLOCKS if text.startswith(LOOP))
    source = source.replace("127.90.1.1", free_address())
    names: dict[str, object] = {}
    exec(f"async def block(tmp_path):\n{textwrap.indent(source, '    ')}    return zone\n", names)
    zone = await names["block"](tmp_path)  # type: ignore[operator]
    assert zone.session.startswith("oneadmin:")
