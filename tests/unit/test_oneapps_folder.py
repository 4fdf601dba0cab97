"""The marketplace's folder as files: linted, without drift from our own image, with marks or published, never mixed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import hcl2
import pytest

from flower_federation.errors import InputError
from flower_federation.imaging import cli, payload, rootfs
from flower_federation.imaging import recipe as recipes
from flower_federation.imaging.oneapps import folder, publication, settings
from flower_federation.imaging.oneapps.publication import Publisher
from tests.oneapps_support import APPLIANCE, NOW, PROJECT, PUBLISHER, RECIPE, write_qcow2

BIN = Path(sys.executable).parent
YAML_RULES = "{extends: default, rules: {line-length: disable}}"
"""Those of the marketplace's own repository."""
PUBLISHING = (
    *("--url", PUBLISHER.url, "--publisher", PUBLISHER.name, "--publisher-email", PUBLISHER.email),
    *("--one-apps-version", PUBLISHER.one_apps_version),
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with marks."""
    output = tmp_path_factory.mktemp("one-apps") / "out"
    folder.write(output, folder.files(PROJECT))
    return output


def check(*argv: str | Path) -> None:
    """A tool finds nothing."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def image(arguments: tuple[str | Path, ...], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["image", "one-apps", *map(str, arguments)])
    return cli.main()


def shell_scripts(output: Path) -> list[Path]:
    files = [path for path in output.rglob("*") if path.is_file()]
    return [path for path in files if path.suffix == ".sh" or path.read_bytes().startswith(b"#!/bin/sh")]


def test_shell_scripts_are_posix_and_without_findings(written: Path) -> None:
    scripts = shell_scripts(written)
    assert {path.name for path in scripts} >= {
        *("service", "appliance.sh", "facts.sh", "net-90-service-appliance"),
        *("gen_context", "make-key", "99-leave.sh"),
    }
    for script in scripts:
        check("sh", "-n", script)
    # Their CONTEXT and stages are sourced by a path that only the guest has.
    check(BIN / "shellcheck", "--shell=sh", "--severity=style", "--exclude=SC1091", *scripts)


def test_yaml_is_written_as_the_marketplace_wants_it(written: Path) -> None:
    check(BIN / "yamllint", "--strict", "-d", YAML_RULES, *sorted(written.rglob("*.yaml")))


@pytest.mark.skipif(shutil.which("ruby") is None, reason="needs ruby, which the marketplace's tests are written in")
def test_the_marketplaces_tests_are_ruby(written: Path) -> None:
    for script in written.rglob("*.rb"):
        done = subprocess.run(["ruby", "-c", script], check=False, capture_output=True, text=True)
        assert done.stdout == "Syntax OK\n"


def test_the_recipe_parses_and_brings_only_files_that_are_there(written: Path) -> None:
    parsed = {path.name: hcl2.loads(path.read_text()) for path in (written / RECIPE).glob("*.pkr.hcl")}
    assert set(parsed) == {"flower-appliance.pkr.hcl", "variables.pkr.hcl", "plugins.pkr.hcl"}
    text = (written / RECIPE / "flower-appliance.pkr.hcl").read_text()
    declared = re.findall(r'^variable "(\w+)"', (written / RECIPE / "variables.pkr.hcl").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bvar\.(\w+)", text)) <= set(declared)
    named = re.findall(r'\$\{var\.appliance_dir\}/([^"]+)"', text)
    assert len(named) == 6
    assert [name for name in named if not (written / APPLIANCE / name).exists()] == []
    scripts = re.findall(r"\$\{var\.input_dir\}/([\w.-]+)", text)
    made = {"context", "build-key"}
    assert [name for name in scripts if name not in made and not (written / RECIPE / name).exists()] == []
    assert "@" not in text


def test_no_password_opens_the_machine_that_builds(written: Path) -> None:
    for path in (*(written / RECIPE).iterdir(), *(written / APPLIANCE).glob("*")):
        if path.is_file():
            assert not re.search(
                r"ssh_password|^PASSWORD=|chpasswd|PermitRootLogin yes", path.read_text(), re.MULTILINE
            )


def test_the_payload_is_what_our_own_image_holds(written: Path) -> None:
    recipe = recipes.load()
    brought = written / APPLIANCE / "flower"
    lock = (PROJECT / "requirements/flower.lock").read_text()
    assert (brought / "requirements.lock").read_text() == payload.without(lock, recipe.variants["cpu"].leave_out)

    code = PROJECT / "src/flower_appliance"
    ours = {path.relative_to(code): path.read_bytes() for path in code.rglob("*") if "__pycache__" not in path.parts}
    theirs = {
        path.relative_to(brought / "flower_appliance"): path.read_bytes() for path in brought.glob("flower_appliance/*")
    }
    assert theirs == ours

    overlay = PROJECT / "src/flower_federation/imaging/overlay"
    left_out = {
        "etc/cloud/cloud.cfg.d/90-opennebula.cfg",
        "etc/network/if-up.d/flower-resolv",
        "usr/local/bin/sudo",
    }
    wanted = {path.relative_to(overlay).as_posix() for path in overlay.rglob("*") if path.is_file()} - left_out
    there = [path for path in (brought / "overlay").rglob("*") if path.is_file()]
    assert {path.relative_to(brought / "overlay").as_posix() for path in there} == wanted
    assert all(path.read_bytes() == (overlay / path.relative_to(brought / "overlay")).read_bytes() for path in there)


def test_the_payloads_checksums_are_complete_and_sha256sum_takes_them(written: Path) -> None:
    brought = written / APPLIANCE / "flower"
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"], check=False, cwd=brought, capture_output=True
    )
    assert (done.returncode, done.stdout) == (0, b"")
    named = {line.split()[1] for line in (brought / "SHA256SUMS").read_text().splitlines()}
    files = {path.relative_to(brought).as_posix() for path in brought.rglob("*") if path.is_file()}
    assert named == files - {"SHA256SUMS"}


def test_users_folders_and_units_are_those_of_our_own_image(written: Path) -> None:
    shown = subprocess.run(
        ["sh", "-c", '. "$1"; set', "-", written / APPLIANCE / "facts.sh"], check=True, capture_output=True, text=True
    ).stdout
    values = dict(re.findall(r"^(FLOWER_\w+)='(.*)'$", shown, re.MULTILINE))
    assert values["FLOWER_USER"] == rootfs.SERVICE_USER
    assert values["FLOWER_ID"] == str(rootfs.SERVICE_ID)
    assert values["FLOWER_PREFIX"] == f"/{payload.PREFIX}"
    assert values["FLOWER_FOLDERS"].split() == [f"/{name}" for name in rootfs.EXTRA_FOLDERS]
    assert values["FLOWER_UNITS"].split() == ["flower-appliance.service", "flower-context.path"]
    assert set(recipes.load().base.masked_units) <= set(values["FLOWER_MASKED"].split())
    script = (written / APPLIANCE / "appliance.sh").read_text()
    assert set(re.findall(r"\bFLOWER_[A-Z_]+", script)) <= set(values)


def test_the_same_clone_writes_the_same_folder(written: Path) -> None:
    again = folder.files(PROJECT)
    assert {path: file.content for path, file in again.items()} == {
        path.relative_to(written).as_posix(): path.read_bytes() for path in written.rglob("*") if path.is_file()
    }
    assert [path for path, file in again.items() if file.executable] == [
        path for path in again if (written / path).stat().st_mode & 0o111
    ]


def test_the_change_log_must_know_this_flower_version() -> None:
    recipe = recipes.load()
    text = (PROJECT / settings.FILE).read_text()
    assert settings.parse(text, recipe).version.endswith("-1")
    with pytest.raises(InputError, match=r"newest release with Flower 0\.0\.1"):
        settings.parse(re.sub(r'flower = ".*"', 'flower = "0.0.1"', text), recipe)
    with pytest.raises(InputError, match="KeyError"):
        settings.parse(text.replace("[overlay]", "[underlay]"), recipe)


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"mine\.txt, which is not an empty folder"):
        folder.write(tmp_path / "mine.txt", {})
    with pytest.raises(InputError, match="not an empty folder"):
        folder.write(tmp_path, folder.files(PROJECT))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_command_says_which_facts_are_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert image(("--output", tmp_path / "out"), monkeypatch) == 0
    shown = capsys.readouterr().out
    assert all(mark in shown for mark in publication.MARKS.values())


def test_publishing_leaves_no_mark_and_takes_the_files_own_checksums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = write_qcow2(tmp_path / "flower-appliance.qcow2")
    assert image(("--output", tmp_path / "out", "--publish", disk, *PUBLISHING, "--json"), monkeypatch) == 0
    assert json.loads(capsys.readouterr().out)["open"] == []
    text = "".join(path.read_text() for path in (tmp_path / "out").rglob("*.yaml"))
    assert hashlib.sha256(disk.read_bytes()).hexdigest() in text
    assert hashlib.md5(disk.read_bytes()).hexdigest() in text
    assert publication.open_marks(tmp_path / "out") == ()


@pytest.mark.parametrize("missing", ["--url", "--publisher", "--publisher-email", "--one-apps-version"])
def test_publishing_with_a_fact_missing_is_refused_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    disk = write_qcow2(tmp_path / "flower-appliance.qcow2")
    at = PUBLISHING.index(missing)
    some = (*PUBLISHING[:at], *PUBLISHING[at + 2 :])
    assert image(("--output", tmp_path / "out", "--publish", disk, *some), monkeypatch) == InputError.exit_code
    said = capsys.readouterr().err
    assert f"{missing} ''" in said
    assert f"give {missing} with --publish" in said
    assert not (tmp_path / "out").exists()


def test_facts_without_an_image_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert image(("--output", tmp_path / "out", *PUBLISHING), monkeypatch) == InputError.exit_code
    assert "give --publish with the QCOW2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("url", "email"),
    [
        ("http://files.example/a.qcow2", PUBLISHER.email),
        ("https://files.example/a.qcow2?signature=x", PUBLISHER.email),
        ("https://user@files.example/a.qcow2", PUBLISHER.email),
        ("@URL@", PUBLISHER.email),
        (PUBLISHER.url, "nobody"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(tmp_path: Path, url: str, email: str) -> None:
    disk = write_qcow2(tmp_path / "a.qcow2")
    who = Publisher(name="Example", email=email, url=url, one_apps_version="7.0.0-0")
    with pytest.raises(InputError, match=re.escape(url if email == PUBLISHER.email else email)):
        publication.facts(disk, who, now=NOW)


@pytest.mark.parametrize(("change", "said"), [({"backing": 104}, "backing file"), ({"magic": b"RAW!"}, "begins with")])
def test_an_image_that_does_not_stand_alone_is_refused(tmp_path: Path, change: Mapping[str, object], said: str) -> None:
    disk = write_qcow2(tmp_path / "a.qcow2", **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=said):
        publication.facts(disk, PUBLISHER, now=NOW)


def test_an_image_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        publication.facts(tmp_path / "none.qcow2", PUBLISHER, now=NOW)
