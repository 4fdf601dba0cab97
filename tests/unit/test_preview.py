"""What a comparison refuses, and what it writes; the comparison itself runs in tests/integration."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from flower_federation.console import Console
from flower_federation.errors import InputError, MachineError, ToolError
from flower_federation.preview import (
    SUMMARY_FILE,
    Report,
    _own_environment,
    _without_salts,
    commit_of,
    compare,
    make_output,
    refuse_secrets,
    whole,
    write,
)
from flower_federation.preview_report import Kind, PropertyChange, ResourceChange, StackPreview

PASSWORD = "correct-horse"


def report(*, new: str = "3", removed: tuple[str, ...] = ()) -> Report:
    change = PropertyChange(path="context.FL_X", old="2", new=new, forces_replacement=False)
    update = ResourceChange(kind=Kind.UPDATE, type_="a:b:C", name="x", properties=(change,))
    stack = StackPreview(stack="berlin-hospital", changes=(update,), unchanged=4)
    return Report(base="main (abc)", stacks=(stack,), removed=removed)


class Silent:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return None


def console() -> Console:
    return Console(stream=Silent(), clock=lambda: 0.0, total=4)  # type: ignore[arg-type]


def repository(folder: Path) -> Path:
    (folder / "README.md").write_text("x\n")
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for command in (["init", "-q"], ["add", "README.md"], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder


def test_a_report_with_a_password_is_refused_and_the_message_does_not_repeat_it() -> None:
    with pytest.raises(ToolError, match=r"pulumi\.Output\.secret") as caught:
        refuse_secrets(report(new=f"x{PASSWORD}"), ["", PASSWORD])
    assert PASSWORD not in str(caught.value)


def test_a_report_without_secrets_passes_also_where_a_secret_is_empty() -> None:
    refuse_secrets(report(), ["", PASSWORD])


def test_a_stack_whose_file_is_gone_is_loud_in_the_summary() -> None:
    assert "**Stack `paris-lab` has no file any more.**" in whole(report(removed=("paris-lab",)))


def test_each_stack_gets_a_file_and_the_summary_holds_all(tmp_path: Path) -> None:
    write(report(), tmp_path / "out")
    assert (tmp_path / "out" / "berlin-hospital.md").read_text().startswith("## `berlin-hospital`")
    assert "| `berlin-hospital` | 0 | 1 | 0 | 0 | 4 |" in (tmp_path / "out" / SUMMARY_FILE).read_text()


def test_a_base_that_does_not_exist_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"base 'no-such-branch'[\s\S]*fetch-depth 0"):
        compare(repository(tmp_path), "no-such-branch", environ={}, console=console())


def test_a_base_without_stacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"stacks/[\s\S]*choose a later base"):
        compare(repository(tmp_path), "HEAD", environ={}, console=console())


def test_a_machine_without_git_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match=r"git: not on PATH[\s\S]*apt install git"):
        commit_of(tmp_path, "HEAD")


def test_a_folder_that_takes_no_reports_is_refused_before_anything_is_brought_up(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--output .*file/previews: Not a directory"):
        make_output(tmp_path / "file" / "previews")


def test_the_scratch_stacks_use_nothing_that_the_caller_has_chosen_for_others(tmp_path: Path) -> None:
    chosen = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "FLWR_HOME", "FEDERATION_ROOT", "FEDERATION_RENEW")
    own = _own_environment({**dict.fromkeys(chosen, "/elsewhere"), "LANG": "C"}, tmp_path)
    assert set(own) == {"LANG", "PYTHONPATH"}


def test_a_stack_of_a_real_cloud_is_named_as_not_compared() -> None:
    text = whole(replace(report(), foreign=("rome-hospital",)))
    assert "Stack `rome-hospital` is on no embedded zone; `pulumi preview -s rome-hospital`" in text


def test_the_scratch_stacks_get_no_salt_of_the_clones_passphrase(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    stack = tmp_path / "stacks" / "Pulumi.here.yaml"
    stack.write_text("config:\n  flower-federation:kind: zone\nencryptionsalt: v1:abc=:v1:def=\n")

    _without_salts(tmp_path)
    assert "encryptionsalt" not in stack.read_text()
