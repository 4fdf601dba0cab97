"""scripts/lock: the hashed locks in requirements/, made from their inputs by the pinned uv. Installs nothing.

Versions that a lock has already are kept unless an upgrade is asked for. The Flower version comes from
`flower_appliance.version`, so that it stands in one place.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flower_appliance.version import FLOWER_VERSION
from flower_federation.environment import Layout
from flower_federation.errors import FederationError, of_system
from flower_federation.packages import Packages, pip_options, uv_environment
from flower_federation.processes import Runner, require
from flower_federation.setup import machine_packages, project_folder, this_machine

PYTHON_FLOOR = "3.11"
COMPILE_TIMEOUT_S = 900.0


@dataclass(frozen=True, kw_only=True)
class Lock:
    """One lock and what it is made from.

    Args:
        name: `requirements/<name>.lock`.
        inputs: Files, relative to the project.
        pins: Extra pins that the inputs do not carry themselves.
    """

    name: str
    inputs: tuple[str, ...]
    pins: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The lock's path, relative to the project."""
        return f"requirements/{self.name}.lock"

    @property
    def header(self) -> str:
        """The comment that opens the lock; the same on every machine."""
        sources = " and ".join((*self.inputs, *(f"the pin {pin}" for pin in self.pins)))
        return f"# Made by scripts/lock from {sources}; not to be edited.\n"


LOCKS = (
    Lock(name="uv", inputs=("requirements/uv.in",)),
    Lock(name="go", inputs=("requirements/go.in",)),
    Lock(name="control", inputs=("pyproject.toml", "requirements/control.in")),
    Lock(name="flower", inputs=("requirements/flower.in",), pins=(f"flwr=={FLOWER_VERSION}",)),
)


def compile_arguments(lock: Lock, *, upgrade: bool) -> list[str]:
    """uv's arguments for a lock, for a folder that holds its inputs by name, `pins.in`, and the lock as it was."""
    return [
        *("pip", "compile", *(Path(name).name for name in lock.inputs)),
        *(("--constraints", "pins.in") if lock.pins else ()),
        *("--output-file", Path(lock.file).name, "--no-header", "--no-emit-index-url", "--generate-hashes"),
        # One version of each package for every Python and platform: what is tested is what runs.
        *("--universal", "--python-version", PYTHON_FLOOR, "--fork-strategy", "fewest"),
        *(("--upgrade",) if upgrade else ()),
    ]


def compile_lock(
    lock: Lock, *, layout: Layout, packages: Packages, environ: Mapping[str, str], run: Runner, upgrade: bool
) -> str:
    """The text of a lock, resolved now.

    Raises:
        ToolError: The inputs contradict each other, or the package index does not answer.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in lock.inputs:
            shutil.copyfile(layout.project / name, folder / Path(name).name)
        (folder / "pins.in").write_text("".join(f"{pin}\n" for pin in lock.pins))
        output = folder / Path(lock.file).name
        before = layout.project / lock.file
        if before.exists():
            shutil.copyfile(before, output)
        require(
            run(
                [packages.uv(), *compile_arguments(lock, upgrade=upgrade)],
                env=uv_environment(environ, pip_options(environ, packages.home)),
                cwd=folder,
                timeout_s=COMPILE_TIMEOUT_S,
            ),
            what=f"`uv pip compile` for {lock.file}",
            reason="the environments are installed from this lock",
            remedy=f"mend {' or '.join(lock.inputs)}, or see that the package index answers",
        )
        return lock.header + output.read_text()


DESCRIPTION = """\
Make the hashed locks in requirements/ anew, for every Python from 3.11 on and both Linux architectures.
Versions that are locked stay unless --upgrade is given. After it: scripts/setup, then scripts/test.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of scripts/lock."""
    parser = argparse.ArgumentParser(
        prog="scripts/lock", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that the inputs allow")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a lock would change")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(x.name for x in LOCKS)}")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.names) - {lock.name for lock in LOCKS}
    if unknown:
        parser.error(f"no such lock: {', '.join(sorted(unknown))}; there are {', '.join(x.name for x in LOCKS)}")
    machine = this_machine()
    layout = Layout(project=project_folder())
    stale = []
    try:
        packages = machine_packages(layout, machine, say=print)
        for lock in LOCKS:
            if arguments.names and lock.name not in arguments.names:
                continue
            text = compile_lock(
                lock,
                layout=layout,
                packages=packages,
                environ=machine.environ,
                run=machine.run,
                upgrade=arguments.upgrade,
            )
            path = layout.project / lock.file
            changed = not path.exists() or path.read_text() != text
            stale += [lock.file] if changed else []
            if changed and not arguments.check:
                path.write_text(text)
            print(f"{lock.file}: {'changed' if changed else 'as it was'}")
    except (FederationError, OSError) as error:
        told = error if isinstance(error, FederationError) else of_system(error)
        print(f"lock: {told}", file=sys.stderr)
        return told.exit_code
    except KeyboardInterrupt:
        print("\nlock: stopped; the locks that it had not come to are as they were", file=sys.stderr)
        return 130
    if arguments.check and stale:
        print(f"lock: {', '.join(stale)} would change; run scripts/lock and commit the result", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
