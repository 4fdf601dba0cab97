"""scripts/setup: from a fresh Linux machine with Python and git to environments, engine, plugin and activation.

It changes nothing outside the clone and the user's cache folder, installs nothing whose hash is not pinned, and never
asks a question. Running it again does only what changed.
Standard library only: it runs before any environment exists.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flower_federation import environment
from flower_federation.caches import Cache, cache_root, digest, locked, point
from flower_federation.console import Console, Step
from flower_federation.engine import Considered, Engine, EngineFinder, Source, install, platform_of, read_lock
from flower_federation.engine_build import PROGRAMS, Build
from flower_federation.engine_plugin import PluginInstaller, TlsPlugin, installed
from flower_federation.engine_release import Release, open_url
from flower_federation.environment import Layout
from flower_federation.errors import FederationError, of_system
from flower_federation.heartbeat import under_way
from flower_federation.packages import Packages, locked_version
from flower_federation.processes import Runner, run_process

STAMP = "flower-federation.json"
"""In .venv: what the last run made, so that the next one can tell what changed."""

STEPS = 7


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the caller asked for."""

    offline: bool = False
    """Do not ask the engine vendor's site."""
    engine: Source | None = None
    """Take this way to the engine, or fail."""
    engine_again: bool = False
    """Look for engine and plugin anew, also where they are in place."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What setup knows of the machine and the caller; tests give their own."""

    environ: Mapping[str, str]
    home: Path
    python: Path
    python_version: str
    platform: str
    run: Runner


class Setup:
    """Brings one clone to its working state.

    Args:
        layout: The clone.
        machine: The machine and the caller.
        console: Where progress goes.
        options: What the caller asked for.
    """

    def __init__(self, *, layout: Layout, machine: Machine, console: Console, options: Options) -> None:
        self.layout = layout
        self.machine = machine
        self.console = console
        self.options = options
        self.packages = machine_packages(layout, machine, say=console.line)
        self.cache = self.packages.cache
        self._stamp: dict[str, Any] = {}

    def prepare(self) -> dict[str, Any]:
        """Do what is missing; the report that `--json` prints.

        Raises:
            FederationError: A step could not be done; earlier ones stay done.
        """
        # Outside .venv, which this may have to make anew; two runs in one clone take turns.
        name = digest([str(self.layout.project)])
        with locked(self.cache.root / "locks" / f"clone-{name}.lock", say=self.console.line):
            self._stamp = _read_stamp(self.layout)
            with self.console.step("Python") as step:
                step.done(f"{self.machine.python_version} from {self.machine.python}")
            with self.console.step("uv, the package installer") as step, self._telling():
                step.done(f"{self.packages.uv_version} in {self.packages.uv().parent}")
            title = "Control environment .venv: Pulumi, providers, zonebox, tests"
            with self.console.step(title) as step, self._telling():
                self._control(step)
            with self.console.step("Flower environment .flower-env") as step, self._telling():
                self._flower(step)
            with self.console.step("Pulumi engine") as step:
                engine = self._engine(step)
            with self.console.step("tls plugin of the engine") as step, self._telling():
                plugin = self._plugin(step, engine)
            with self.console.step("Activation, local backend and passphrase") as step:
                values = self._activation(step, offline=plugin is TlsPlugin.OWN)
            return self._report(engine, plugin, values)

    def _telling(self) -> AbstractContextManager[object]:
        """Tell that a step goes on; the engine's tells by itself how far its build is."""
        return under_way("      working", self.console.line)

    def _control(self, step: Step) -> None:
        wanted = self.packages.control_digest()
        if self._stamp.get("control") == wanted and (self.layout.bin / "python").exists():
            step.done("up to date")
            return
        self._remember(control=None)
        step.done(self.packages.install_control(step.note))
        self._remember(control=wanted)

    def _flower(self, step: Step) -> None:
        folder = self.packages.flower(step.note)
        changed = point(self.layout.flower_env, folder)
        changed |= point(self.layout.bin / "flwr", folder / "bin" / "flwr")
        step.done(f"linked to {folder}" if changed else "up to date")

    def _engine(self, step: Step) -> Engine:
        lock_text = (self.layout.project / "requirements" / "engine.lock").read_text()
        lock = read_lock(lock_text)
        build = Build(
            sources=Path(__file__).parent / "engine_sources",
            platform=self.machine.platform,
            environ=self.machine.environ,
            run=self.machine.run,
            go_from_wheel=lambda: self.packages.go(step.note),
            note=step.note,
        )
        wanted = digest([lock_text, build.key()])
        before = self._stamp.get("engine", {})
        in_place = all((self.layout.bin / name).exists() for name in PROGRAMS)
        # A way that was asked for once stays until another is asked for.
        as_asked = self.options.engine is None or self.options.engine.value == before.get("source")
        if before.get("digest") == wanted and in_place and as_asked and not self.options.engine_again:
            step.done(f"up to date: {before['version']} ({before['source']})")
            return _engine_from(before)
        self._remember(engine={})
        finder = EngineFinder(
            lock=lock,
            platform=self.machine.platform,
            release=Release(version=lock.release_version, site=lock.site, open_url=open_url, note=step.note),
            build=build,
            cache=self.cache,
            run=self.machine.run,
            environ=self.machine.environ,
            own_bin=self.layout.bin,
            note=step.note,
        )
        engine = finder.find(only=self.options.engine, offline=self.options.offline)
        install(engine, self.layout.bin)
        self._remember(engine={"digest": wanted, **_engine_record(engine)})
        step.done(f"{engine.version} ({engine.source.value}) linked into {self.layout.bin}")
        return engine

    def _plugin(self, step: Step, engine: Engine) -> TlsPlugin:
        version = locked_version(self._requirement("control.lock"), "pulumi-tls")
        python = self.layout.bin / "python"
        present = installed(self.layout.pulumi_home, version, python)
        again = self.options.engine_again
        if present is not None and not (again and present is TlsPlugin.OWN):
            step.done(f"up to date: {present.value} {version}")
            return present
        plugin = PluginInstaller(
            pulumi=self.layout.bin / "pulumi",
            home=self.layout.pulumi_home,
            python=python,
            environ=self.machine.environ,
            run=self.machine.run,
            note=step.note,
        ).install(version, offline=self.options.offline, vendor_answered=engine.source is Source.RELEASE, again=again)
        step.done(f"{plugin.value} {version}")
        return plugin

    def _activation(self, step: Step, *, offline: bool) -> dict[str, str]:
        values = environment.variables(self.layout, offline=offline)
        script = self.layout.bin / "activate"
        before = script.read_text()
        after = environment.activation(before, values)
        if after != before:
            draft = script.with_name(".activate.new")
            draft.write_text(after)
            draft.replace(script)
        made = environment.make_state(self.layout, randomness=os.urandom(environment.PASSPHRASE_BYTES))
        self._remember(offline=offline)
        step.done("passphrase made" if made else "written" if after != before else "up to date")
        return values

    def _requirement(self, name: str) -> str:
        return (self.layout.project / "requirements" / name).read_text()

    def _remember(self, **facts: Any) -> None:
        """Keep facts for the next run, each as soon as it is true: a run that is cut off is not repeated whole."""
        self._stamp.update(facts)
        if self.layout.venv.is_dir():
            (self.layout.venv / STAMP).write_text(json.dumps(self._stamp, indent=2) + "\n")

    def _report(self, engine: Engine, plugin: TlsPlugin, values: Mapping[str, str]) -> dict[str, Any]:
        return {
            "project": str(self.layout.project),
            "python": {"path": str(self.machine.python), "version": self.machine.python_version},
            "steps": [asdict(result) for result in self.console.results],
            "engine": _engine_record(engine),
            "tls_plugin": plugin.value,
            "paths": {
                "venv": str(self.layout.venv),
                "flower_env": str(self.layout.flower_env.resolve()),
                "cache": str(self.cache.root),
                "activate": str(self.layout.bin / "activate"),
            },
            "environment": dict(values),
        }


def _read_stamp(layout: Layout) -> dict[str, Any]:
    try:
        found = json.loads((layout.venv / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def is_offline(layout: Layout) -> bool:
    """Whether the last setup found the vendor's site out of reach, for callers that start the engine themselves."""
    return bool(_read_stamp(layout).get("offline", False))


def _engine_record(engine: Engine) -> dict[str, Any]:
    return {
        "source": engine.source.value,
        "version": engine.version,
        "programs": {name: str(path) for name, path in engine.programs.items()},
        "considered": [{"source": c.source.value, "taken": c.taken, "why": c.why} for c in engine.considered],
    }


def _engine_from(record: Mapping[str, Any]) -> Engine:
    return Engine(
        source=Source(record["source"]),
        version=record["version"],
        programs={name: Path(path) for name, path in record["programs"].items()},
        considered=tuple(
            Considered(source=Source(c["source"]), taken=c["taken"], why=c["why"]) for c in record["considered"]
        ),
    )


def project_folder() -> Path:
    """The clone that this file belongs to."""
    return Path(__file__).resolve().parents[2]


def this_machine() -> Machine:
    """The machine that the script runs on."""
    return Machine(
        environ=os.environ,
        home=Path.home(),
        python=Path(getattr(sys, "_base_executable", sys.executable)),
        python_version=platform.python_version(),
        platform=platform_of(platform.system(), platform.machine()),
        run=run_process,
    )


def machine_packages(layout: Layout, machine: Machine, *, say: Callable[[str], None]) -> Packages:
    """The environments of a clone on a machine."""
    return Packages(
        layout=layout,
        cache=Cache(cache_root(machine.environ, machine.home), say=say),
        python=machine.python,
        python_version=machine.python_version,
        home=machine.home,
        environ=machine.environ,
        run=machine.run,
    )


def parser(program: str, description: str) -> argparse.ArgumentParser:
    """The command line of scripts/setup and scripts/engine."""
    result = argparse.ArgumentParser(
        prog=program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("--json", action="store_true", help="print what was done and where as JSON; progress on stderr")
    result.add_argument("--quiet", action="store_true", help="print only the steps that had something to do, on stderr")
    result.add_argument("--offline", action="store_true", help="do not ask the engine vendor's site; mirrors are used")
    result.add_argument(
        "--engine", choices=[source.value for source in Source], help="take this way to the engine, or fail"
    )
    return result


DESCRIPTION = """\
Set up this clone. Needs Linux, Python 3.11 or newer with its venv module, and git; nothing else.

It makes
  .venv            the control environment: Pulumi's SDK, the providers, zonebox, the tests; exactly
                   requirements/control.lock, hashes verified
  .flower-env      a link to the Flower environment (requirements/flower.lock) in the cache
  .venv/bin        also gets pulumi and its Python language host (see scripts/engine --help) and flwr
  .venv/bin/activate   also sets where state, passphrase and plugins are, unless you set it yourself
  .federation      the local Pulumi backend, its passphrase (0600) and what runs leave behind

Things that other clones can share are in ~/.cache/flower-federation (XDG_CACHE_HOME is honoured), named by a hash of
what they were made from. Running setup again does only what changed; two runs take turns.

Then: source .venv/bin/activate
"""


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def run_setup(arguments: argparse.Namespace, *, engine_again: bool = False) -> int:
    """Carry out scripts/setup or scripts/engine; the exit status."""
    console = Console(
        stream=sys.stderr if arguments.json or arguments.quiet else sys.stdout,
        clock=time.monotonic,
        total=STEPS,
        quiet=arguments.quiet,
    )
    options = Options(
        offline=arguments.offline,
        engine=Source(arguments.engine) if arguments.engine else None,
        engine_again=engine_again,
    )
    start = time.monotonic()
    # Ended like this, the programs that were started end too, and drafts in the cache are removed.
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What is ignored stays so: nohup asks to outlive the terminal.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        layout = Layout(project=project_folder())
        report = Setup(layout=layout, machine=this_machine(), console=console, options=options).prepare()
    except (FederationError, OSError) as error:
        told = error if isinstance(error, FederationError) else of_system(error)
        print(f"setup: {told}", file=sys.stderr)
        if arguments.json:
            print(json.dumps(told.document()))
        return told.exit_code
    except KeyboardInterrupt:
        print("\nsetup: stopped; run it again to go on where it was", file=sys.stderr)
        return 130
    console.closing(f"ready in {time.monotonic() - start:.1f} s; next: source .venv/bin/activate")
    if arguments.json:
        print(json.dumps(report, indent=2))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of scripts/setup."""
    return run_setup(parser("scripts/setup", DESCRIPTION).parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
