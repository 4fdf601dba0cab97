"""The subcommands up, down, status and run of `federation`. It parses, prints and connects parts; others decide.

Progress goes to standard error, results to standard output, so that `--json` can be piped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from flower_federation.environment import Layout, make_state, merged
from flower_federation.errors import InputError, ToolError
from flower_federation.operations import FederationStatus, Operations, choose
from flower_federation.runs import DEFAULT_TIMEOUT_S, RunRequest, run_app
from flower_federation.runs_report import Round, RunResult, rounds_table
from flower_federation.setup import is_offline, project_folder
from flower_federation.stacks import StackFile, Stacks, read_stack_files
from pulumi_flower.control import ControlClient, NodeState
from pulumi_flower.errors import FlowerError

EXAMPLE_APP = Path("examples") / "breast_cancer"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands; each sets `handler`, which takes the parsed arguments and returns an exit status."""
    up = subparsers.add_parser(
        "up",
        help="bring the federation's stacks up, enrol the nodes and wait until they are online",
        description="Centre, zones, and the centre again for their keys; safe to repeat, and to interrupt.",
    )
    up.add_argument("stacks", nargs="*", metavar="STACK", help="only these stacks; all by default")
    up.set_defaults(handler=_up)

    down = subparsers.add_parser(
        "down",
        help="take stacks down, zones before the centre",
        description="What was there is deleted in the clouds. A zone that goes alone has its nodes' keys revoked.",
    )
    down.add_argument("stacks", nargs="*", metavar="STACK", help="only these stacks; all by default")
    down.add_argument("--remove", action="store_true", help="forget the stacks, too, with their history")
    down.set_defaults(handler=_down)

    status = subparsers.add_parser("status", help="show stacks and nodes as they are; changes nothing")
    status.set_defaults(handler=_status)

    run = subparsers.add_parser(
        "run",
        help="run a Flower app on the federation and stream its rounds",
        description="Submits the app through the centre's Control API and ends when the run has ended.",
    )
    run.add_argument("app", nargs="?", type=Path, help=f"folder of the app; {EXAMPLE_APP} by default")
    run.add_argument("--config", action="append", default=[], metavar="KEY=VALUE", help="override the app's settings")
    run.add_argument(
        "--timeout", type=float, default=DEFAULT_TIMEOUT_S, metavar="S", help="seconds until it is stopped"
    )
    run.set_defaults(handler=_run)
    for command in (up, down, status, run):
        command.add_argument("--json", action="store_true", help="print the result as JSON")


def say(line: str) -> None:
    """Print a line of progress at once."""
    print(line, file=sys.stderr, flush=True)


class Workplace:
    """A clone that is set up, with everything that its commands need.

    Args:
        project: The clone's folder.
        environ: The caller's environment.
    """

    def __init__(self, *, project: Path, environ: Mapping[str, str]) -> None:
        self.layout = Layout(project=project)
        self.environment = merged(environ, self.layout, offline=is_offline(self.layout))
        make_state(self.layout, randomness=os.urandom(32))
        self.files = read_stack_files(project)
        self.stacks = Stacks(layout=self.layout, environment=self.environment, say=say, clock=time.monotonic)
        self.operations = Operations(stacks=self.stacks, node_states=ask_node_states, say=say)

    def central_outputs(self) -> dict[str, Any]:
        """Outputs of the centre.

        Raises:
            InputError: It is not up.
        """
        federation, _ = choose(self.files, ())
        outputs = self.stacks.outputs(federation.central)
        if not outputs:
            raise InputError(
                given=f"stack {federation.central.name}: not up",
                rule="the federation is up",
                reason="its centre knows endpoint and CA",
                remedy="run federation up first",
            )
        return outputs

    def run(self, app: Path, run_config: Mapping[str, Any], timeout_s: float) -> RunResult:
        """Run an app on the federation and print each round as it ends."""
        outputs = self.central_outputs()
        request = RunRequest(
            app=app,
            endpoint=str(outputs["superlink_control_endpoint"]),
            ca_certificate=str(outputs["ca_certificate"]),
            flwr=self.layout.flower_env / "bin" / "flwr",
            home=self.layout.flwr_home,
            run_config=dict(run_config),
            timeout_s=timeout_s,
        )
        return run_app(request, environment=self.environment, on_round=tell_round)


def workplace() -> Workplace:
    """The clone that this command belongs to."""
    return Workplace(project=project_folder(), environ=os.environ)


def tell_round(ended: Round) -> None:
    """Print one line for a round."""
    say(
        f"round {ended.number}: loss {ended.loss:.4f}, accuracy {ended.accuracy:.4f}, {ended.nodes} nodes, "
        f"{ended.seconds:.1f} s"
    )


def ask_node_states(*, endpoint: str, ca_certificate: str) -> Mapping[str, str]:
    """State of each node that the SuperLink knows and has not revoked, by name.

    Raises:
        ToolError: It does not answer.
    """
    try:
        nodes = ControlClient(endpoint, ca_certificate, timeout_s=5.0).list_nodes()
    except FlowerError as error:
        raise ToolError(
            given=f"SuperLink at {endpoint}: {error}",
            rule="the SuperLink's Control API answers",
            reason="it alone knows which nodes are online",
            remedy="see that the SuperLink's VM runs (federation status) and that this machine is in adminNetworks",
        ) from error
    return {
        node.name or str(node.node_id): node.state.value for node in nodes if node.state is not NodeState.UNREGISTERED
    }


def _up(arguments: argparse.Namespace) -> int:
    place = workplace()
    federation, chosen = choose(place.files, arguments.stacks)
    started = time.monotonic()
    nodes = place.operations.up(federation, chosen)
    outputs = place.central_outputs()
    if arguments.json:
        print(json.dumps({"nodes": list(nodes), "outputs": outputs}, indent=2))
    else:
        print(f"up in {time.monotonic() - started:.0f} s; nodes online: {', '.join(nodes) or 'none'}")
        print("next: federation run, federation status, flwr ls")
    return 0


def _down(arguments: argparse.Namespace) -> int:
    place = workplace()
    federation, chosen = choose(place.files, arguments.stacks)
    place.operations.down(federation, chosen, remove=arguments.remove)
    if arguments.json:
        print(json.dumps({"down": [stack.name for stack in chosen]}))
    return 0


def _status(arguments: argparse.Namespace) -> int:
    place = workplace()
    federation, _ = choose(place.files, ())
    status = place.operations.status(federation)
    if arguments.json:
        print(json.dumps(status_document(status), indent=2))
    else:
        console = Console()
        console.print(stacks_table(status))
        console.print(nodes_table(status))
        if status.trouble:
            print(status.trouble, file=sys.stderr)
    return 1 if status.trouble else 0


def _run(arguments: argparse.Namespace) -> int:
    place = workplace()
    app = arguments.app or place.layout.project / EXAMPLE_APP
    result = place.run(app.resolve(), parse_run_config(arguments.config), arguments.timeout)
    if arguments.json:
        print(json.dumps(asdict(result), indent=2))
    else:
        Console().print(rounds_table(result))
    return 0


def parse_run_config(pairs: list[str]) -> dict[str, bool | int | float | str]:
    """Settings of an app from `key=value` arguments; true, false and numbers are taken as such.

    Raises:
        InputError: An argument has no equals sign.
    """
    found: dict[str, bool | int | float | str] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise InputError(
                given=f"--config {pair}",
                rule="it is KEY=VALUE",
                reason="each overrides one setting of the app",
                remedy="write for example --config num-server-rounds=5",
            )
        found[key] = _value(text)
    return found


def _value(text: str) -> bool | int | float | str:
    if text in ("true", "false"):
        return text == "true"
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def status_document(status: FederationStatus) -> dict[str, Any]:
    """The status for `--json`: node ids are texts, they exceed what JSON numbers hold."""
    return {
        "stacks": [
            {
                "name": entry.stack.name,
                "kind": entry.stack.kind,
                "state": _state(entry.outputs),
                "outputs": entry.outputs,
            }
            for entry in status.stacks
        ],
        "nodes": [{"name": name, "state": state} for name, state in sorted(status.nodes.items())],
        "trouble": status.trouble,
    }


def stacks_table(status: FederationStatus) -> Table:
    """Stacks for a terminal."""
    table = Table("stack", "kind", "state", "what it says")
    for entry in status.stacks:
        table.add_row(entry.stack.name, entry.stack.kind, _state(entry.outputs), _summary(entry.stack, entry.outputs))
    return table


def nodes_table(status: FederationStatus) -> Table:
    """Nodes for a terminal: what zones bring, and what the SuperLink says of it."""
    table = Table("node", "partition", "state")
    known = dict(status.nodes)
    for entry in status.stacks:
        for node in (entry.outputs or {}).get("nodes", ()):
            state = known.pop(node["name"], "not enrolled" if status.trouble is None else "unknown")
            table.add_row(node["name"], str(int(node["partition_id"])), state)
    for name, state in sorted(known.items()):
        table.add_row(name, "-", f"{state}, in no zone's stack")
    return table


def _state(outputs: Mapping[str, Any] | None) -> str:
    return "not there" if outputs is None else "up" if outputs else "destroyed"


def _summary(stack: StackFile, outputs: Mapping[str, Any] | None) -> str:
    if not outputs:
        return ""
    if stack.kind == "central":
        return f"Fleet {outputs.get('superlink_fleet_endpoint')}, Control {outputs.get('superlink_control_endpoint')}"
    return f"{int(outputs.get('pool_size', 0))} SuperNodes, service {outputs.get('service_id')}"
