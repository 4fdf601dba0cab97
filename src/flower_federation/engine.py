"""The Pulumi engine of this clone: which of three ways it comes from, decided here, carried out in the modules beside.

a. a `pulumi` that the user has on PATH, new enough and with its Python language host;
b. the vendor's release for this platform, checked against a pinned SHA-256;
c. a build from Go modules pinned by go.mod and go.sum.

It never takes an engine from another environment's folder, and never one whose checksum is not pinned.
Standard library only: scripts/setup imports this before any environment exists.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from flower_federation.caches import Cache, point
from flower_federation.engine_build import PROGRAMS, Build, go_problem, has_programs
from flower_federation.engine_release import Release
from flower_federation.errors import InputError, MachineError, ReleaseUnavailableError
from flower_federation.processes import Runner

VERSION_TIMEOUT_S = 30.0


class Source(Enum):
    """Where an engine comes from; the value is what users write and read."""

    PATH = "path"
    RELEASE = "release"
    BUILD = "build"


@dataclass(frozen=True, kw_only=True)
class EngineLock:
    """requirements/engine.lock."""

    minimum: tuple[int, int, int]
    release_version: str
    site: str
    sha256: Mapping[str, str]
    """Checksum of the release's archive, by platform such as "linux-x64"."""


@dataclass(frozen=True, kw_only=True)
class Considered:
    """One of the three ways, and why it was or was not taken."""

    source: Source
    taken: bool
    why: str


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The engine that was chosen."""

    source: Source
    version: str
    programs: Mapping[str, Path]
    """Path of each of PROGRAMS."""
    considered: tuple[Considered, ...]


def read_lock(text: str) -> EngineLock:
    """Parse requirements/engine.lock.

    Raises:
        InputError: A field is missing, or a checksum is not 64 hexadecimal digits.
    """
    try:
        data: dict[str, Any] = tomllib.loads(text)
        release = data["release"]
        lock = EngineLock(
            minimum=version_of(data["minimum"]),
            release_version=release["version"],
            site=release["site"],
            sha256=dict(release.get("sha256", {})),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise InputError(
            given=f"requirements/engine.lock cannot be read: {error}",
            rule="it is TOML with `minimum` and a table `release` (version, site, sha256)",
            reason="it pins which engine may run here",
            remedy="restore it with `git checkout requirements/engine.lock`, or mend the entry",
        ) from error
    for platform, value in lock.sha256.items():
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            raise InputError(
                given=f"requirements/engine.lock has {value!r} for {platform}",
                rule="a checksum is 64 lower-case hexadecimal digits of SHA-256",
                reason="an archive that cannot be checked is not run",
                remedy=f"write the vendor's checksum for {platform}, or remove the line to build from source there",
            )
    return lock


def version_of(text: str) -> tuple[int, int, int]:
    """The first three numbers of a version such as "v3.259.0".

    Raises:
        InputError: There are none.
    """
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        raise InputError(
            given=f"{text.strip()[:80]!r} has no version number",
            rule="a version is three numbers with dots between them",
            reason="engines are compared by it",
            remedy="look at what `pulumi version` prints, or at requirements/engine.lock",
        )
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def platform_of(system: str, machine: str) -> str:
    """The vendor's name of a platform, from what the kernel calls itself: ("Linux", "x86_64") -> "linux-x64"."""
    architectures = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
    return f"{system.lower()}-{architectures.get(machine.lower(), machine.lower())}"


def search_folders(path: str, *, own_bin: Path) -> list[Path]:
    """The folders of PATH where a user's own engine may be: not this clone's, nor any other Python environment's.

    Those hold links that a setup made, and would vanish with the clone that they belong to.
    """
    folders = [Path(part) for part in path.split(os.pathsep) if part]
    return [folder for folder in folders if folder != own_bin and not (folder.parent / "pyvenv.cfg").exists()]


def locate(folders: Iterable[Path]) -> dict[str, Path]:
    """The first of each of PROGRAMS on the folders, by name; a missing one is absent from the result."""
    found: dict[str, Path] = {}
    for folder in folders:
        for name in PROGRAMS:
            candidate = folder / name
            if name not in found and candidate.is_file() and os.access(candidate, os.X_OK):
                found[name] = candidate
    # Installers that link only `pulumi` onto PATH keep its hosts beside the real file.
    if "pulumi" in found:
        beside = found["pulumi"].resolve().parent
        for name in PROGRAMS:
            if name not in found and (beside / name).is_file():
                found[name] = beside / name
    return found


def judge_found(found: Mapping[str, Path], version: str | None, minimum: tuple[int, int, int]) -> str | None:
    """Why an engine found on PATH cannot be used, or None where it can."""
    if "pulumi" not in found:
        return "no pulumi on PATH outside Python environments"
    if version is None:
        return f"{found['pulumi']} does not answer `pulumi version`"
    if version_of(version) < minimum:
        wanted = ".".join(str(part) for part in minimum)
        return f"{found['pulumi']} is {version}, older than {wanted}"
    missing = [name for name in PROGRAMS if name not in found]
    if missing:
        return f"{found['pulumi']} is there, but not {', '.join(missing)}"
    return None


@dataclass(frozen=True, kw_only=True)
class EngineFinder:
    """Takes the first of the three ways that works.

    Args:
        lock: The pins.
        platform: This machine, as `platform_of` names it.
        release: Way b.
        build: Way c.
        cache: Where b and c keep their results.
        run: Starts programs.
        environ: The caller's environment.
        own_bin: This clone's `.venv/bin`.
        note: Prints a line.
    """

    lock: EngineLock
    platform: str
    release: Release
    build: Build
    cache: Cache
    run: Runner
    environ: Mapping[str, str]
    own_bin: Path
    note: Callable[[str], None]

    def find(self, *, only: Source | None = None, offline: bool = False) -> Engine:
        """Find, download or build the engine.

        Args:
            only: Take this way or fail, for people who want to choose.
            offline: Do not ask the vendor's site.

        Raises:
            MachineError: No way works here; its text says why for each.
            ToolError: The build failed.
        """
        considered: list[Considered] = []
        ways: dict[Source, Callable[[], Engine | None]] = {
            Source.PATH: lambda: self._on_path(considered),
            Source.RELEASE: lambda: self._released(considered, offline=offline, insist=only is not None),
            Source.BUILD: lambda: self._built(considered),
        }
        for source, way in ways.items():
            if only is not None and source is not only:
                self._pass(considered, source, f"not asked for (only {only.value} was)")
                continue
            engine = way()
            if engine is not None:
                return engine
        raise MachineError(
            given="no Pulumi engine: " + "; ".join(f"{entry.source.value}: {entry.why}" for entry in considered),
            rule="one of three ways must work: on PATH, the vendor's release, a build from Go modules",
            reason="the engine carries out every `pulumi` command of this project",
            remedy="install Pulumi from its vendor so that `pulumi version` answers, then run scripts/setup again",
        )

    def _pass(self, considered: list[Considered], source: Source, why: str) -> None:
        considered.append(Considered(source=source, taken=False, why=why))
        self.note(f"{source.value:8} no: {why}")

    def _take(
        self, considered: list[Considered], source: Source, why: str, *, version: str, programs: Mapping[str, Path]
    ) -> Engine:
        considered.append(Considered(source=source, taken=True, why=why))
        self.note(f"{source.value:8} TAKEN: {why}")
        return Engine(source=source, version=version, programs=programs, considered=tuple(considered))

    def _on_path(self, considered: list[Considered]) -> Engine | None:
        found = locate(search_folders(self.environ.get("PATH", os.defpath), own_bin=self.own_bin))
        version: str | None = None
        if "pulumi" in found:
            quiet = {**self.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
            answer = self.run([found["pulumi"], "version"], env=quiet, timeout_s=VERSION_TIMEOUT_S)
            if answer.returncode == 0 and re.search(r"\d+\.\d+\.\d+", answer.output):
                version = answer.output.strip().splitlines()[-1].removeprefix("v")
        problem = judge_found(found, version, self.lock.minimum)
        if problem is not None or version is None:
            self._pass(considered, Source.PATH, problem or "it names no version")
            return None
        return self._take(considered, Source.PATH, f"{found['pulumi']} {version}", version=version, programs=found)

    def _released(self, considered: list[Considered], *, offline: bool, insist: bool) -> Engine | None:
        version = self.lock.release_version
        checksum = self.lock.sha256.get(self.platform)
        if checksum is None:
            why = f"requirements/engine.lock pins no checksum of release {version} for {self.platform}"
            self._pass(considered, Source.RELEASE, why)
            return None
        key = checksum[:20]
        folder = self.cache.place("engine-release", key)
        if not has_programs(folder):
            if not insist and self.build.usable(self.cache):
                self._pass(considered, Source.RELEASE, "not downloaded, since a finished build is in the cache")
                return None
            if offline:
                self._pass(considered, Source.RELEASE, "not asked for (--offline)")
                return None
            try:
                folder = self.cache.get(
                    "engine-release",
                    key,
                    lambda partial: self.release.fetch(partial, self.platform, checksum, programs=PROGRAMS),
                    usable=has_programs,
                )
            except ReleaseUnavailableError as error:
                self._pass(considered, Source.RELEASE, error.given)
                return None
        why = f"vendor's release {version}, SHA-256 as pinned"
        return self._take(considered, Source.RELEASE, why, version=version, programs=_programs(folder))

    def _built(self, considered: list[Considered]) -> Engine | None:
        problem = go_problem(self.platform)
        if problem is not None:
            self._pass(considered, Source.BUILD, problem)
            return None
        cached = self.build.usable(self.cache)
        folder = self.build.get(self.cache)
        why = f"{self.build.describe()}, {'from the cache' if cached else 'built now'}"
        return self._take(considered, Source.BUILD, why, version=self.build.cli_version, programs=_programs(folder))


def _programs(folder: Path) -> dict[str, Path]:
    return {name: folder / name for name in PROGRAMS}


def install(engine: Engine, bin_folder: Path) -> None:
    """Link the engine's programs into an environment's `bin`, so that activating it is enough.

    The language host takes `python3` from PATH, and looks for its script there and beside itself.
    """
    for name, program in engine.programs.items():
        point(bin_folder / name, program)
