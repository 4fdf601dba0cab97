"""The engine built from Go modules: the CLI and, since the Go proxy serves no newer one, an older Python language host.

Versions and hashes are those of go.mod and go.sum in `engine_sources/`; nothing is resolved anew at build time.
Standard library only: scripts/setup imports this before any environment exists.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flower_federation.caches import Cache, digest, remove_tree
from flower_federation.errors import InputError
from flower_federation.processes import Finished, Runner, require

CLI_MODULE = "github.com/pulumi/pulumi/pkg/v3"
CLI_PACKAGE = f"{CLI_MODULE}/cmd/pulumi"
HOST_MODULE = "github.com/pulumi/pulumi/sdk/v3"
HOST_PACKAGE = f"{HOST_MODULE}/python/cmd/pulumi-language-python"
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
HOST_SCRIPT = Path("python", "cmd", "pulumi-language-python-exec")

PROGRAMS = ("pulumi", "pulumi-language-python", HOST_SCRIPT.name)
"""The engine, the host that runs Python programs for it, and the script that the host starts them with."""

BUILD_TIMEOUT_S = 3600.0
"""From nothing, both took 473 s on two busy cores (2026-11-24); slower machines get an hour."""
QUERY_TIMEOUT_S = 120.0

# What could make the same sources give another program, or a program for another machine.
IGNORED_VARIABLES = ("GOOS", "GOARCH", "GOROOT", "GOWORK", "GOEXPERIMENT", "GO111MODULE")

GO_PLATFORMS = ("linux-x64", "linux-arm64")


def go_problem(platform: str) -> str | None:
    """Why the engine cannot be built on a platform, or None where it can."""
    if platform in GO_PLATFORMS:
        return None
    return f"builds are tried on {' and '.join(GO_PLATFORMS)} only, this is {platform}"


def module_version(go_mod: str, module: str) -> str:
    """The version that a go.mod requires of a module, without the leading "v".

    Raises:
        InputError: It requires no such module.
    """
    found = re.search(rf"^(?:require )?\s*{re.escape(module)} v(\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise InputError(
            given=f"a go.mod in engine_sources/ does not require {module}",
            rule="it must pin that module",
            reason="the engine is built from it",
            remedy="restore the file with `git checkout src/flower_federation/engine_sources`",
        )
    return found.group(1)


def go_minimum(go_mod: str) -> tuple[int, ...]:
    """The oldest Go that a go.mod accepts: "go 1.25.11" -> (1, 25, 11)."""
    found = re.search(r"^go (\d+(?:\.\d+)*)$", go_mod, re.MULTILINE)
    return tuple(int(part) for part in found.group(1).split(".")) if found else (1,)


def go_version(answer: str) -> tuple[int, ...] | None:
    """The version in what `go version` prints, or None: "go version go1.26.8 linux/amd64" -> (1, 26, 8)."""
    found = re.search(r"\bgo(\d+(?:\.\d+)*)", answer.removeprefix("go version "))
    return tuple(int(part) for part in found.group(1).split(".")) if found else None


def go_environment(environ: Mapping[str, str], *, private: Path | None) -> dict[str, str]:
    """The environment of the Go commands.

    Args:
        environ: The caller's; proxy settings and caches are kept.
        private: Where module and build caches go instead of the user's; given where Go came from a wheel, so that
            several GB do not stay behind for a user who has no Go.
    """
    env = {name: value for name, value in environ.items() if name not in IGNORED_VARIABLES}
    env |= {
        "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false -modcacherw",
        "GOTOOLCHAIN": "local",
        # No C compiler needed, and the same program with and without one.
        "CGO_ENABLED": "0",
    }
    if private is not None:
        env |= {"GOPATH": str(private / "path"), "GOCACHE": str(private / "cache"), "GOENV": "off"}
        env.pop("GOMODCACHE", None)
    return env


@dataclass(frozen=True, kw_only=True)
class Build:
    """Builds the engine into the cache.

    Args:
        sources: The folder `engine_sources`.
        platform: Part of the cache key.
        environ: The caller's environment.
        run: Starts programs.
        go_from_wheel: Installs the pinned Go wheel where PATH has no usable Go; returns the `go` program.
        note: Prints a line.
    """

    sources: Path
    platform: str
    environ: Mapping[str, str]
    run: Runner
    go_from_wheel: Callable[[], Path]
    note: Callable[[str], None]

    @property
    def cli_version(self) -> str:
        """The CLI's version."""
        return module_version(self._text("pulumi-cli", "go.mod"), CLI_MODULE)

    @property
    def host_version(self) -> str:
        """The Python language host's version."""
        return module_version(self._text("python-host", "go.mod"), HOST_MODULE)

    def describe(self) -> str:
        """The two versions, for people."""
        return f"CLI {self.cli_version} and Python host {self.host_version} from Go modules"

    def key(self) -> str:
        """Everything that the result depends on: pins, hashes, linker flags, platform."""
        names = [(folder, file) for folder in ("pulumi-cli", "python-host") for file in ("go.mod", "go.sum")]
        return digest([*(self._text(*name) for name in names), self._ldflags(self.cli_version), self.platform])

    def usable(self, cache: Cache) -> bool:
        """Whether a finished build is in the cache."""
        return has_programs(cache.place("engine-build", self.key()))

    def get(self, cache: Cache) -> Path:
        """The finished build, made now if the cache has none.

        Raises:
            ToolError: Go failed.
        """
        return cache.get("engine-build", self.key(), self._make, usable=has_programs)

    def _make(self, folder: Path) -> None:
        go, from_wheel = self._go()
        private = folder / "go" if from_wheel else None
        if private is not None:
            private.mkdir()
        env = go_environment(self.environ, private=private)
        self._compile(go, env, CLI_PACKAGE, self.cli_version, at="pulumi-cli", to=folder / "pulumi")
        host = folder / "pulumi-language-python"
        self._compile(go, env, HOST_PACKAGE, self.host_version, at="python-host", to=host)
        where = self.run(
            [go, "list", "-m", "-f", "{{.Dir}}", HOST_MODULE],
            env=env,
            cwd=self.sources / "python-host",
            timeout_s=QUERY_TIMEOUT_S,
        )
        module = Path(self._checked(where, "`go list` for the Python host's folder").output.strip())
        script = folder / HOST_SCRIPT.name
        shutil.copyfile(module / HOST_SCRIPT, script)
        script.chmod(0o755)
        if private is not None:
            remove_tree(private)

    def _go(self) -> tuple[Path, bool]:
        """A Go that is new enough: the user's, or else the wheel's; and whether it is the wheel's."""
        minimum = go_minimum(self._text("pulumi-cli", "go.mod"))
        wanted = ".".join(str(part) for part in minimum)
        found = shutil.which("go", path=self.environ.get("PATH"))
        if found is None:
            self.note(f"no Go on PATH: using the pinned Go wheel ({wanted} or newer is needed)")
            return self.go_from_wheel(), True
        env = go_environment(self.environ, private=None)
        version = go_version(self.run([found, "version"], env=env, timeout_s=QUERY_TIMEOUT_S).output)
        if version is None or version < minimum:
            has = ".".join(str(part) for part in version) if version else "of unknown version"
            self.note(f"{found} is Go {has}, {wanted} is needed: using the pinned Go wheel")
            return self.go_from_wheel(), True
        self.note(f"Go {'.'.join(str(part) for part in version)} from {found}")
        return Path(found), False

    def _compile(self, go: Path, env: Mapping[str, str], package: str, version: str, *, at: str, to: Path) -> None:
        name = to.name
        self.note(f"building {name} {version}; minutes on two cores, once per machine")

        def progress(seconds: float, lines: int) -> None:
            self.note(f"{name}: {seconds:.0f} s, {lines} modules and packages so far")

        finished = self.run(
            [go, "build", "-v", "-o", to, "-ldflags", self._ldflags(version), package],
            env=env,
            cwd=self.sources / at,
            timeout_s=BUILD_TIMEOUT_S,
            progress=progress,
        )
        self._checked(finished, f"`go build` of {name} {version}")
        self.note(f"{name}: built in {finished.seconds:.0f} s")

    def _checked(self, finished: Finished, what: str) -> Finished:
        return require(
            finished,
            what=what,
            reason="the engine is built where neither PATH nor the vendor's site has one",
            remedy="see that GOPROXY reaches a Go module proxy and that 4 GB of disk are free; or install Pulumi from "
            "its vendor, then run scripts/setup again",
        )

    @staticmethod
    def _ldflags(version: str) -> str:
        return f"-s -w -X {VERSION_VARIABLE}=v{version}"

    def _text(self, folder: str, file: str) -> str:
        return (self.sources / folder / file).read_text()


def has_programs(folder: Path) -> bool:
    """Whether a cache folder holds all of PROGRAMS."""
    return all((folder / name).is_file() for name in PROGRAMS)
