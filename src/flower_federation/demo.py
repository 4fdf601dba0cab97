"""`federation demo`: three embedded zones, a federation across them, and a training that really happens.

It works on the zones that the stack files place on this machine, and on nothing else. Every step can be repeated; a
second run finds what the first left. `--down` takes away everything that it made.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from flower_federation.console import Console
from flower_federation.demo_containers import (
    Containers,
    check_machine,
    make_network,
    make_project,
    remove_network,
    write_image,
)
from flower_federation.environment import Layout, backend_folder
from flower_federation.errors import InputError
from flower_federation.operations import choose
from flower_federation.operations_cli import EXAMPLE_APP, Workplace, say, workplace
from flower_federation.processes import Runner, require, run_process
from flower_federation.runs_report import RunResult, rounds_table
from flower_federation.stacks import STACKS_FOLDER, StackFile, has_salt
from flower_federation.terminal import terminal
from flower_federation.zones import ZONES_FOLDER, EmbeddedZone, Zones, embedded_zones, is_embedded

PREPARE_TIMEOUT_S = 120.0
RUN_TIMEOUT_S = 600.0
STEPS = 5
IMAGE = Path("images") / "flower-appliance.json"

NEXT_CONTAINERS = """\
What to try next, in a shell that is on the demo's network (as root):
  {shell}
  federation status                                   stacks and nodes as they are
  federation run --config num-server-rounds=5         train again, longer
  pulumi preview --diff -s berlin-hospital            what would change: nothing
and outside of it:
  scripts/demo --driver nspawn --down                 take everything away
"""
NEXT = """\
What to try next (after: source .venv/bin/activate)
  federation status                                   stacks and nodes as they are
  federation run --config num-server-rounds=5         train again, longer
  pulumi preview --diff -s berlin-hospital            what would change: nothing
  edit supernodes: 2 -> 3 in stacks/Pulumi.berlin-hospital.yaml, then federation up
                                                      one in-place update, and a third node trains
  federation down paris-lab                           a zone leaves, and its key is revoked
  scripts/demo --down                                 take everything away
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `demo`."""
    demo = subparsers.add_parser(
        "demo",
        help="three embedded zones, a federation across them, and a training",
        description="Starts the zones, brings the stacks up, enrols the nodes, and runs examples/breast_cancer.",
    )
    demo.add_argument("--down", action="store_true", help="stop the zones and remove everything that the demo made")
    demo.add_argument(
        "--driver",
        choices=("process", "nspawn"),
        default="process",
        help="process: VMs are processes; nspawn: containers with the real image's root file system and real systemd "
        "(as root; builds the image first, about a minute)",
    )
    demo.add_argument("--json", action="store_true", help="print the result as JSON")
    demo.set_defaults(handler=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    place = workplace()
    console = Console(stream=sys.stderr, clock=time.monotonic, total=STEPS)
    started = time.monotonic()
    containers = Containers(clone=place.layout.project) if arguments.driver == "nspawn" else None
    if containers is not None:
        if arguments.down and not containers.project.exists():
            say("nothing of the demo is left")
            return _told_down((), None, as_json=arguments.json)
        place = _containers_place(containers, place, console, image=not arguments.down)
    demo = Demo(place=place, run=run_process, console=console, containers=containers)
    if arguments.down:
        return _told_down(demo.down(), kept_of(place.layout), as_json=arguments.json)
    result = demo.up()
    if arguments.json:
        print(json.dumps(asdict(result), indent=2))
    else:
        terminal().print(rounds_table(result))
        print(f"\nfrom start to result: {time.monotonic() - started:.0f} s\n")
        print(NEXT if containers is None else NEXT_CONTAINERS.format(shell=containers.shell()))
    return 0


def kept_of(layout: Layout) -> Path | None:
    """What of a clone's state is there still: something of other federations is in it."""
    return layout.state if layout.state.exists() else None


def _told_down(stacks: Sequence[str], kept: Path | None, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"removed": list(stacks), "kept": None if kept is None else str(kept)}))
    return 0


def _containers_place(containers: Containers, place: Workplace, console: Console, *, image: bool) -> Workplace:
    """Make what the demo on containers works in, and move this process there, where no package index can be reached."""
    check_machine()
    make_project(containers)
    if image:
        with console.step("the appliance's image, whose root file system the containers have") as step:
            step.done(write_image(containers, environ=place.environment))
    make_network(containers, run=run_process, env=place.environment)
    os.environ["FEDERATION_ROOT"] = str(containers.project)
    return Workplace(project=containers.project, environ=os.environ)


class Demo:
    """The demo's steps. From here on the place knows no stack but those of embedded zones.

    Args:
        place: The clone that it runs in.
        run: Starts programs.
        console: Where steps are told.
        containers: Where VMs are containers; None: they are processes.
    """

    def __init__(
        self, *, place: Workplace, run: Runner, console: Console, containers: Containers | None = None
    ) -> None:
        # Next to the demo's files a hospital has its own: what those name is no demo's to change, nor to forget.
        self.left_alone = tuple(stack.name for stack in place.files if not is_embedded(stack))
        place.files = tuple(stack for stack in place.files if is_embedded(stack))
        self._place = place
        self._run = run
        self._console = console
        self._containers = containers
        self._zones = Zones(layout=place.layout, environment=place.environment, run=run, say=say)

    def up(self) -> RunResult:
        """From nothing, or from whatever a run before left, to a finished training."""
        place = self._place
        zones = self._embedded()
        federation, chosen = choose(place.files, ())
        if federation.own_central is None:
            raise InputError(
                given=f"stacks on loopback addresses: {', '.join(stack.name for stack in chosen)}, all of kind zone",
                rule="the demo's centre is an embedded zone, too",
                reason=f"it trains through its own SuperLink; {len(zones)} zones without one train nothing",
                remedy="restore stacks/Pulumi.madrid-central.yaml, or use federation up for your own zones",
            )
        if self.left_alone:
            say(f"{', '.join(self.left_alone)}: on no embedded zone, and left alone")
        self.prepare()
        for stack in chosen:
            # Plain `pulumi` left it there, and `--down` of a version before, or a hand, took the passphrase away.
            self._drop_salt(stack)
        with self._console.step("stacks, enrolment, nodes online") as step:
            nodes = place.operations.up(federation, chosen)
            step.done(f"online: {', '.join(nodes)}")
        with self._console.step(f"training of {EXAMPLE_APP}") as step:
            result = place.run(place.layout.project / EXAMPLE_APP, {}, RUN_TIMEOUT_S)
            step.done(f"run {result.run_id}: {result.status}")
        return result

    def prepare(self) -> None:
        """Training data, image and running zones: everything that the stacks stand on."""
        zones = self._embedded()
        with self._console.step("training data, a file a zone") as step:
            step.done(self._prepare_data(zones))
        if self._containers is None:
            with self._console.step("the appliance's image for process VMs") as step:
                step.done(self._write_image())
        with self._console.step(f"embedded zones {', '.join(zone.name for zone in zones)}") as step:
            for zone in zones:
                self._zones.start(zone)
                step.note(f"{zone.name}: {zone.address}")
            step.done(f"{len(zones)} answering")

    def down(self) -> tuple[str, ...]:
        """Stop the zones and remove what the demo made; stacks of other federations stay.

        Returns:
            Names of the stacks that were there.
        """
        place = self._place
        zones = self._embedded()
        # With a zone goes everything in it: its stacks need not be destroyed resource by resource, only forgotten.
        removed: list[str] = []
        for zone in zones:
            self._zones.stop(zone)
        for stack in place.files:
            if place.stacks.forget(stack):
                removed.append(stack.name)
                say(f"stack {stack.name}: removed")
            self._drop_salt(stack)
        for folder in removable(place.layout, [zone.state for zone in zones], environment=place.environment):
            shutil.rmtree(folder, ignore_errors=False)
        if self._containers is not None:
            remove_network(self._containers, run=self._run, env=place.environment)
            shutil.rmtree(self._containers.project)
        kept = kept_of(place.layout)
        say("nothing of the demo is left" if kept is None else f"kept, for stacks that are not the demo's: {kept}")
        return tuple(removed)

    def _drop_salt(self, stack: StackFile) -> None:
        if self._place.stacks.drop_salt(stack):
            say(f"stacks/Pulumi.{stack.name}.yaml: without the salt of a passphrase that is gone")

    def _embedded(self) -> tuple[EmbeddedZone, ...]:
        zones = embedded_zones(self._place.files, self._place.layout)
        if not zones:
            raise InputError(
                given="stack files: none has an endpoint on a loopback address",
                rule="the demo runs on embedded zones",
                reason="it starts and stops them, which it must not do to a real cloud",
                remedy="restore the committed files in stacks/, or use federation up for your own zones",
            )
        if self._containers is None:
            return zones
        return tuple(replace(zone, options=self._containers.options(zone)) for zone in zones)

    def _prepare_data(self, zones: Sequence[EmbeddedZone]) -> str:
        layout = self._place.layout
        holders = [zone.name for zone in zones if zone.data_path is not None]
        require(
            self._run(
                [
                    layout.flower_env / "bin" / "python",
                    layout.project / EXAMPLE_APP / "prepare.py",
                    "--folder",
                    layout.state / ZONES_FOLDER,
                    *holders,
                ],
                env=self._place.environment,
                timeout_s=PREPARE_TIMEOUT_S,
            ),
            what="prepare.py of the example",
            reason="each zone trains on rows that no other zone has",
            remedy="correct what its last lines name, and run again",
        )
        return f"in {', '.join(holders)}"

    def _write_image(self) -> str:
        layout = self._place.layout
        output = layout.state / IMAGE
        output.parent.mkdir(parents=True, exist_ok=True)
        require(
            self._run(
                [
                    *(layout.bin / "python", "-m", "flower_appliance", "image", "process"),
                    *("--output", output, "--bin", layout.flower_env / "bin"),
                ],
                env=self._place.environment,
                timeout_s=PREPARE_TIMEOUT_S,
            ),
            what="writing the process image",
            reason="the zones start their VMs from it",
            remedy="run scripts/setup, and then the demo again",
        )
        return str(output.relative_to(layout.project))


def removable(layout: Layout, zone_folders: Sequence[Path], *, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Folders that go with the demo: everything of this clone's state, or only the zones' where others need the rest.

    The state has the passphrase. Without it stacks of this backend, of another one that the caller has set, and values
    that a stack's file encrypts could be read by nobody any more.

    Args:
        layout: The clone.
        zone_folders: The embedded zones' own folders.
        environment: Of the engine.
    """
    if not layout.state.exists():
        return ()
    stacks = [path for path in layout.backend.glob(".pulumi/stacks/**/*.json") if not path.name.endswith(".bak")]
    url = environment.get("PULUMI_BACKEND_URL")
    elsewhere = bool(url) and backend_folder(str(url)) != layout.backend
    files = (layout.project / STACKS_FOLDER).glob("Pulumi.*.yaml")
    if stacks or elsewhere or any(has_salt(path) for path in files):
        return tuple(folder for folder in zone_folders if folder.exists())
    return (layout.state,)
