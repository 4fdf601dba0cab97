"""`federation preview`: what a change of the repository would do to running stacks, as one Markdown file a stack.

It never touches the clone's own zones, backend or stack files: the base revision is brought up in a scratch folder, in
embedded zones of its own, and the working tree is previewed against that. Everything is taken away at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.centre_certificates import RENEW_VARIABLE
from flower_federation.console import Console
from flower_federation.demo import Demo
from flower_federation.environment import Layout, variables
from flower_federation.errors import InputError, MachineError, ToolError
from flower_federation.heartbeat import under_way
from flower_federation.operations import choose
from flower_federation.operations_cli import Workplace, say
from flower_federation.operations_engine import CommandError, InterruptibleCommand
from flower_federation.preview_report import (
    PreviewFormatError,
    StackPreview,
    parse_preview,
    render,
    render_all,
    summary,
)
from flower_federation.processes import interrupts_noted, run_process
from flower_federation.setup import project_folder
from flower_federation.stacks import STACKS_FOLDER, StackFile, drop_salt, read_stack_files
from flower_federation.zones import EmbeddedZone, Zones, embedded_zones, is_embedded

PREVIEW_TIMEOUT_S = 300.0
SUMMARY_FILE = "summary.md"
_KEPT = (".federation", ".venv", ".flower-env")
"""What stays in the scratch folder when the base's files make room for the working tree's."""
_ONED_PORT = 2633

DESCRIPTION = """\
Preview what the working tree would change, compared with a base revision.

The base revision's stacks are brought up in embedded zones of a scratch folder, then each stack of the working tree is
previewed against them. One Markdown file a stack and summary.md are written; replacements and deletions are marked
loudly, secrets never appear. Needs the addresses of the embedded zones free: run scripts/demo --down first.

  scripts/preview --base origin/main --output previews
  scripts/preview --base HEAD~1 --refuse-destructive     status 1 where anything is replaced or deleted
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `preview`."""
    parser = subparsers.add_parser(
        "preview",
        help="what the working tree would change in running stacks, as Markdown",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--base", required=True, metavar="REV", help="the revision whose stacks are brought up")
    parser.add_argument("--output", type=Path, default=Path("previews"), help="folder for the reports (previews/)")
    parser.add_argument("--refuse-destructive", action="store_true", help="end with status 1 on replace or delete")
    parser.add_argument("--json", action="store_true", help="print the counts of each stack as JSON")
    parser.set_defaults(handler=_preview)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All stacks of one comparison."""

    base: str
    """The revision as it was given, and its commit."""
    stacks: tuple[StackPreview, ...]
    removed: tuple[str, ...]
    """Stacks of the base that have no file in the working tree: nothing manages what they made."""
    foreign: tuple[str, ...] = ()
    """Stacks of the working tree on clouds of their own: never brought up here, so there is nothing to compare."""


def _preview(arguments: argparse.Namespace) -> int:
    console = Console(stream=sys.stderr, clock=time.monotonic, total=4)
    commit_of(project_folder(), arguments.base)
    make_output(arguments.output)
    report = compare(project_folder(), arguments.base, environ=os.environ, console=console)
    write(report, arguments.output)
    if arguments.json:
        counts = [{"stack": stack.stack, "summary": summary(stack)} for stack in report.stacks]
        document = {"base": report.base, "stacks": counts, "removed": report.removed, "foreign": report.foreign}
        print(json.dumps(document, indent=2))
    else:
        for stack in report.stacks:
            print(f"{stack.stack}: {summary(stack)}")
        for name in report.removed:
            print(f"{name}: its stack file is gone; what it made is managed by nothing")
        for name in report.foreign:
            print(f"{name}: on no embedded zone, not previewed")
        print(f"reports: {arguments.output}")
    destructive = report.removed or any(stack.is_destructive for stack in report.stacks)
    return 1 if arguments.refuse_destructive and destructive else 0


def compare(project: Path, base: str, *, environ: Mapping[str, str], console: Console) -> Report:
    """Bring the base revision up in scratch zones and preview the project's working tree against it.

    Args:
        project: The clone; only read.
        base: A revision of it.
        environ: The caller's environment; what names a Pulumi backend or state in it is not used.
        console: Where steps are told.

    Raises:
        InputError: The revision does not exist, or an address of the embedded zones is taken.
        ToolError: The base cannot be brought up, or a preview fails.
    """
    commit = commit_of(project, base)
    with tempfile.TemporaryDirectory(prefix="federation-preview-") as folder:
        scratch = Path(folder) / "project"
        scratch.mkdir(mode=0o700)
        with console.step(f"files of {base}") as step:
            _export(project, commit, scratch)
            _without_salts(scratch)
            for name in (".venv", ".flower-env"):
                (scratch / name).symlink_to((project / name).resolve())
            step.done(commit[:12])
        with _zones_of(scratch, _own_environment(environ, scratch)) as (place, zones):
            with console.step("base stacks in embedded zones") as step:
                federation, chosen = choose(place.files, ())
                nodes = place.operations.up(federation, chosen)
                step.done(f"{len(chosen)} stacks, {len(nodes)} nodes online")
            with console.step("files of the working tree"):
                _replace_files(project, scratch)
                _without_salts(scratch)
            with console.step("previews") as step:
                after = read_stack_files(scratch)
                previews = []
                for stack in filter(is_embedded, after):
                    with under_way(f"      {stack.name}: preview", console.line):
                        previews.append(_preview_stack(place, stack))
                    step.note(f"{stack.name}: {summary(previews[-1])}")
                step.done(f"{len(previews)} stacks")
            secrets = _secrets(place.layout, zones)
        removed = tuple(sorted({stack.name for stack in chosen} - {stack.name for stack in after}))
    report = Report(
        base=f"{base} ({commit[:12]})",
        stacks=tuple(previews),
        removed=removed,
        foreign=tuple(stack.name for stack in after if not is_embedded(stack)),
    )
    refuse_secrets(report, secrets)
    return report


def commit_of(project: Path, base: str) -> str:
    """The commit that a revision names.

    Raises:
        InputError: None.
        MachineError: There is no git.
    """
    return _git(project, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}", given=f"base {base!r}").strip()


def make_output(output: Path) -> None:
    """Make the folder for the reports, before minutes are spent on them.

    Raises:
        InputError: It cannot be made, or written to.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise InputError(
            given=f"--output {output}: {error.strerror or error}",
            rule="it is a folder that can be made and written to",
            reason="a report a stack is written there",
            remedy="name another folder",
        ) from error


def write(report: Report, output: Path) -> None:
    """Write one file a stack and the summary over all."""
    make_output(output)
    for stack in report.stacks:
        (output / f"{stack.stack}.md").write_text(render(stack), encoding="utf-8")
    (output / SUMMARY_FILE).write_text(whole(report), encoding="utf-8")


def whole(report: Report) -> str:
    """The summary file's text."""
    text = render_all(report.stacks, base=report.base)
    for name in report.removed:
        text += (
            f"\n> [!CAUTION]\n> **Stack `{name}` has no file any more.** What it made stays, managed by nothing; "
            f"run `pulumi destroy -s {name}` from the base revision first.\n"
        )
    for name in report.foreign:
        text += f"\n> [!NOTE]\n> Stack `{name}` is on no embedded zone; `pulumi preview -s {name}` where it is up.\n"
    return text


def refuse_secrets(report: Report, secrets: Sequence[str]) -> None:
    """Refuse a report that holds one of these texts, before it is written anywhere.

    Raises:
        ToolError: It does; the message does not repeat it.
    """
    text = whole(report)
    if any(secret and secret in text for secret in secrets):
        raise ToolError(
            given="a report holds a password or passphrase in clear",
            rule="reports are made to be pasted into pull requests",
            reason="a property that carries it is not marked secret by the program of the working tree",
            remedy="mark it with pulumi.Output.secret, or require_secret, and run again",
        )


def _own_environment(environ: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """The caller's environment less everything that would lead to another backend, passphrase or Flower home."""
    foreign = {
        *variables(Layout(project=scratch), offline=True),
        *("PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK", "FEDERATION_ROOT", RENEW_VARIABLE),
    }
    own = {name: value for name, value in environ.items() if name not in foreign}
    # Before the editable installation of the clone's own files, which belong to neither side of the comparison.
    own["PYTHONPATH"] = os.pathsep.join([str(scratch / "src"), str(scratch)])
    return own


@contextlib.contextmanager
def _zones_of(scratch: Path, environ: Mapping[str, str]) -> Iterator[tuple[Workplace, tuple[EmbeddedZone, ...]]]:
    place = Workplace(project=scratch, environ=environ)
    zones = embedded_zones(place.files, place.layout)
    for zone in zones:
        with socket.socket() as probe:
            if probe.connect_ex((str(zone.address), _ONED_PORT)) == 0:
                raise InputError(
                    given=f"{zone.address}:{_ONED_PORT}: something answers",
                    rule=f"the address of the embedded zone {zone.name} is free",
                    reason="the base revision is brought up in zones of its own, at the addresses of its stack files",
                    remedy="run scripts/demo --down, or preview on another machine",
                )
    console = Console(stream=sys.stderr, clock=time.monotonic, total=3, quiet=True)
    control = Zones(layout=place.layout, environment=place.environment, run=run_process, say=console.line)
    try:
        with under_way("scratch zones start", console.line):
            Demo(place=place, run=run_process, console=console).prepare()
        yield place, zones
    finally:
        # Nobody else knows these zones, so that a second Ctrl-C must not leave them behind.
        with interrupts_noted(), contextlib.ExitStack() as stopping:
            for zone in zones:
                stopping.callback(control.stop, zone)


def _preview_stack(place: Workplace, stack: StackFile) -> StackPreview:
    engine = InterruptibleCommand(
        venv=place.layout.venv, environment=place.environment, limit_s=PREVIEW_TIMEOUT_S, say=say
    )
    _engine(engine, place, stack, ["stack", "select", "--create", "--stack", stack.name])
    text = _engine(engine, place, stack, ["preview", "--json", "--diff", "--stack", stack.name])
    try:
        return parse_preview(stack.name, text)
    except PreviewFormatError as error:
        raise ToolError(
            given=str(error),
            rule="the engine tells a preview as JSON",
            reason="the report is made of its steps",
            remedy="use the engine that scripts/setup installs",
        ) from error


def _engine(engine: InterruptibleCommand, place: Workplace, stack: StackFile, words: list[str]) -> str:
    try:
        return engine.run(words, str(place.layout.project), {}).stdout
    except CommandError as error:
        _, _, rest = str(error).partition("\n stdout: ")
        out, _, err = rest.partition("\n stderr: ")
        said = "\n".join((err.strip() or out.strip()).splitlines()[-20:])
        raise ToolError(
            given=f"pulumi {words[0]} of {stack.name} failed:\n{said}",
            rule="each stack of the working tree can be previewed on top of the base's",
            reason="a change that cannot be previewed cannot be reviewed",
            remedy=f"correct what it names in the working tree (stacks/Pulumi.{stack.name}.yaml, infra/, components/)",
        ) from error


def _secrets(layout: Layout, zones: Sequence[EmbeddedZone]) -> tuple[str, ...]:
    found = [layout.passphrase_file.read_text(encoding="utf-8").strip()]
    for zone in zones:
        found.append((zone.state / "one_auth").read_text(encoding="utf-8").strip().partition(":")[2])
    return tuple(found)


def _export(project: Path, commit: str, target: Path) -> None:
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        _git(project, "archive", "--format=tar", f"--output={archive.name}", commit, given=f"commit {commit}")
        with tarfile.open(archive.name) as tar:
            # The archive is git's own, of this repository. Python has filters since 3.11.4; Debian 12 has 3.11.2.
            if hasattr(tarfile, "data_filter"):
                tar.extractall(target, filter="data")
            else:
                tar.extractall(target)  # noqa: S202 - see above
    if not (target / STACKS_FOLDER).is_dir():
        raise InputError(
            given=f"commit {commit[:12]}",
            rule=f"it has a folder {STACKS_FOLDER}/ with the stacks to compare with",
            reason="there is nothing to bring up otherwise",
            remedy="choose a later base revision",
        )


def _replace_files(project: Path, scratch: Path) -> None:
    for path in scratch.iterdir():
        if path.name in _KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    names = _git(project, "ls-files", "-z", "--cached", "--others", "--exclude-standard", given=str(project))
    for name in filter(None, names.split("\0")):
        source, target = project / name, scratch / name
        if source.exists() or source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def _without_salts(scratch: Path) -> None:
    """A salt in a stack file is of the clone's passphrase; the scratch stacks have one of their own."""
    for path in (scratch / STACKS_FOLDER).glob("Pulumi.*.yaml"):
        drop_salt(path)


def _git(project: Path, *arguments: str, given: str) -> str:
    try:
        ended = subprocess.run(
            ["git", "-C", str(project), *arguments], capture_output=True, text=True, timeout=60, check=False
        )
    except FileNotFoundError as error:
        raise MachineError(
            given="git: not on PATH",
            rule="git is installed",
            reason="the base revision is taken out of this clone with it",
            remedy="install it (Debian and Ubuntu: apt install git; Fedora: dnf install git), and run again",
        ) from error
    if ended.returncode != 0:
        raise InputError(
            given=f"{given}: git {arguments[0]} says {ended.stderr.strip() or 'that there is none'}",
            rule="the base is a revision of this git clone",
            reason="its stacks are what the working tree is compared with",
            remedy="name one that `git rev-parse` knows; in CI, fetch it first (actions/checkout: fetch-depth 0)",
        )
    return ended.stdout
