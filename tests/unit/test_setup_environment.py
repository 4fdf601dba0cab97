"""What activating a clone sets, and what deactivating leaves behind, in real shells."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flower_federation.environment import (
    BEGIN,
    MARK_PREFIX,
    Layout,
    activation,
    backend_folder,
    backend_url,
    make_state,
    merged,
    variables,
)
from flower_federation.errors import InputError
from tests.patience import PATIENCE_S

UV_SCRIPT = """\
deactivate () {
    if [ -n "${_OLD_PATH-}" ] ; then PATH="$_OLD_PATH"; export PATH; unset _OLD_PATH; fi
    if [ ! "${1-}" = "nondestructive" ] ; then
        unset -f deactivate
    fi
}
deactivate nondestructive
_OLD_PATH="$PATH"
PATH="/clone/bin:$PATH"
export PATH
"""
"""The shape of uv's activate script: deactivate first, called once before anything is set."""

SHELLS = [shell for shell in ("bash", "dash", "zsh") if shutil.which(shell)]


def layout(tmp_path: Path, name: str = "clone") -> Layout:
    return Layout(project=tmp_path / name)


def activate_file(tmp_path: Path, clone: Layout, *, offline: bool = False) -> Path:
    file = tmp_path / f"activate-{clone.project.name}"
    file.write_text(activation(UV_SCRIPT, variables(clone, offline=offline)))
    return file


def shell(program: str, script: str, **environ: str) -> dict[str, str]:
    """Run a script; the exported variables at its end."""
    dump = f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    answer = subprocess.run(
        [program, "-c", f"set -eu\n{script}\n{dump}"],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    found: dict[str, str] = json.loads(answer.stdout.splitlines()[-1])
    return found


def ours(environ: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in environ.items() if k.startswith(("PULUMI_", "FLWR_", MARK_PREFIX))}


@pytest.mark.parametrize("program", SHELLS)
def test_activating_sets_every_variable_and_deactivating_takes_them_back(tmp_path: Path, program: str) -> None:
    clone = layout(tmp_path, "with blank")
    file = activate_file(tmp_path, clone)
    active = shell(program, f". '{file}'")
    assert {name: active[name] for name in variables(clone, offline=False)} == variables(clone, offline=False)
    assert ours(shell(program, f". '{file}'\ndeactivate")) == {}


@pytest.mark.parametrize("program", SHELLS)
def test_what_the_user_set_stays_before_during_and_after(tmp_path: Path, program: str) -> None:
    file = activate_file(tmp_path, layout(tmp_path))
    for script in (f". '{file}'", f". '{file}'\n. '{file}'", f". '{file}'\ndeactivate"):
        assert shell(program, script, PULUMI_BACKEND_URL="mine")["PULUMI_BACKEND_URL"] == "mine"


@pytest.mark.parametrize("program", SHELLS)
def test_what_the_user_changes_while_active_survives_deactivating(tmp_path: Path, program: str) -> None:
    file = activate_file(tmp_path, layout(tmp_path))
    after = shell(program, f". '{file}'\nexport FLWR_HOME=mine\ndeactivate")
    assert ours(after) == {"FLWR_HOME": "mine"}


@pytest.mark.parametrize("program", SHELLS)
def test_activating_a_second_clone_leaves_the_first_ones_state_alone(tmp_path: Path, program: str) -> None:
    first, second = layout(tmp_path, "first"), layout(tmp_path, "second")
    script = f". '{activate_file(tmp_path, first)}'\n. '{activate_file(tmp_path, second)}'"
    assert shell(program, script)["PULUMI_BACKEND_URL"] == backend_url(second.backend)


def test_programs_that_skip_activation_see_the_same_variables(tmp_path: Path) -> None:
    clone = layout(tmp_path)
    active = ours(shell("bash", f". '{activate_file(tmp_path, clone, offline=True)}'"))
    assert ours(merged({"PATH": "/usr/bin"}, clone, offline=True)) == active


def test_merging_keeps_the_users_values_and_replaces_another_clones(tmp_path: Path) -> None:
    other = merged({"PATH": "/usr/bin"}, layout(tmp_path, "other"), offline=False)
    clone = layout(tmp_path)
    result = merged({**other, "FLWR_HOME": "mine"}, clone, offline=False)
    assert result["PULUMI_HOME"] == str(clone.pulumi_home)
    assert result["FLWR_HOME"] == "mine"


def test_merging_puts_the_clones_programs_first_on_path_once(tmp_path: Path) -> None:
    clone = layout(tmp_path)
    once = merged({"PATH": f"/usr/bin:{clone.bin}"}, clone, offline=False)
    assert once["PATH"] == f"{clone.bin}:/usr/bin"
    assert merged(once, clone, offline=False)["PATH"] == once["PATH"]


def test_only_an_offline_machine_stops_the_engine_from_fetching_plugins(tmp_path: Path) -> None:
    name = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
    assert name not in variables(layout(tmp_path), offline=False)
    assert variables(layout(tmp_path), offline=True)[name] == "true"


def test_writing_the_activate_script_again_changes_nothing(tmp_path: Path) -> None:
    values = variables(layout(tmp_path), offline=False)
    once = activation(UV_SCRIPT, values)
    assert activation(once, values) == once
    assert once.count(BEGIN) == 2


def test_a_variable_that_is_no_longer_ours_leaves_the_script(tmp_path: Path) -> None:
    offline = activation(UV_SCRIPT, variables(layout(tmp_path), offline=True))
    online = variables(layout(tmp_path), offline=False)
    assert activation(offline, online) == activation(UV_SCRIPT, online)


def test_a_script_without_deactivate_is_refused() -> None:
    with pytest.raises(InputError, match="deactivate") as refusal:
        activation("export A=1\n", {})
    assert "remove the .venv folder" in refusal.value.remedy


def test_the_passphrase_is_private_random_and_never_replaced(tmp_path: Path) -> None:
    clone = layout(tmp_path)
    assert make_state(clone, randomness=b"\x01" * 32)
    assert not make_state(clone, randomness=b"\x02" * 32)
    assert clone.passphrase_file.read_text() == "01" * 32
    assert stat.S_IMODE(clone.passphrase_file.stat().st_mode) == 0o600
    assert [path.name for path in clone.state.iterdir() if "passphrase" in path.name] == ["passphrase"]
    assert stat.S_IMODE(clone.state.stat().st_mode) == 0o700
    assert clone.backend.is_dir()


def test_no_variable_holds_the_passphrase(tmp_path: Path) -> None:
    clone = layout(tmp_path)
    make_state(clone, randomness=b"\x03" * 32)
    assert not any("03" * 32 in value for value in variables(clone, offline=False).values())


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        (backend_url(Path("/srv/with space/backend")), Path("/srv/with space/backend")),
        ("file:///srv/backend", Path("/srv/backend")),
        ("s3://states?region=eu-central-1", None),
        ("", None),
    ],
)
def test_only_a_local_backend_has_a_folder(url: str, folder: Path | None) -> None:
    assert backend_folder(url) == folder
