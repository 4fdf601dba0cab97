"""The subcommands up, down, status and run of `federation`. It parses, prints and connects parts; others decide.

Progress goes to standard error, results to standard output, so that `--json` can be piped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from flower_federation.certificate_expiry import WARN_WITHIN_DAYS, certificate_ends
from flower_federation.certificate_source import from_outputs
from flower_federation.command_values import check_seconds, parse_run_config
from flower_federation.control_certificate import ControlCertificate
from flower_federation.environment import Layout, make_state, merged
from flower_federation.errors import InputError, MachineError, ToolError
from flower_federation.heartbeat import Heartbeat, under_way
from flower_federation.operations import FederationStatus, Operations, choose
from flower_federation.plain import plain
from flower_federation.runs import DEFAULT_TIMEOUT_S, RunRequest, run_app
from flower_federation.runs_cli import App, check_app
from flower_federation.runs_report import Round, RunResult, rounds_table
from flower_federation.setup import is_offline, project_folder
from flower_federation.stacks import StackFile, Stacks, read_stack_files
from flower_federation.terminal import table, terminal
from flower_federation.tunnel import opened_tunnel
from pulumi_flower.control import ControlClient, NodeState
from pulumi_flower.errors import FlowerError
from pulumi_flower.identity import ClientIdentity

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
    run.add_argument(
        "app",
        nargs="?",
        help=f"folder of the app, {EXAMPLE_APP} by default; or @account/app==1.0.0, which the SuperLink fetches from "
        "its hub, with signatures",
    )
    run.add_argument("--config", action="append", default=[], metavar="KEY=VALUE", help="override the app's settings")
    run.add_argument(
        "--timeout", type=float, default=DEFAULT_TIMEOUT_S, metavar="S", help="seconds until it is stopped"
    )
    run.set_defaults(handler=_run)
    for command in (up, down, status, run):
        command.add_argument("--json", action="store_true", help="print the result as JSON")


def say(line: str) -> None:
    """Print a line of progress at once."""
    print(plain(line), file=sys.stderr, flush=True)


class Workplace:
    """A clone that is set up, with everything that its commands need.

    Args:
        project: The clone's folder.
        environ: The caller's environment.

    Raises:
        MachineError: It is not set up, or not any more.
    """

    def __init__(self, *, project: Path, environ: Mapping[str, str]) -> None:
        self.layout = Layout(project=project)
        check_set_up(self.layout)
        self.environment = merged(environ, self.layout, offline=is_offline(self.layout))
        make_state(self.layout, randomness=os.urandom(32))
        self.files = read_stack_files(project)
        self.stacks = Stacks(layout=self.layout, environment=self.environment, say=say, clock=time.monotonic)
        self.operations = Operations(stacks=self.stacks, node_states=self.node_states, say=say)
        self._operator: ControlCertificate | None = None

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

    def central_secrets(self) -> dict[str, Any]:
        """Outputs of the centre, secrets in clear; for one use, then forgotten.

        Raises:
            InputError: It is not up.
        """
        self.central_outputs()
        federation, _ = choose(self.files, ())
        return self.stacks.secret_outputs(federation.central) or {}

    def operator_certificate(self) -> ControlCertificate:
        """The certificate that the central stack itself shows to the Control API.

        Raises:
            InputError: It is not up, or issued none.
        """
        return from_outputs(self.central_secrets(), name=None)

    def node_states(self, *, endpoint: str, ca_certificate: str) -> Mapping[str, str]:
        """`ask_node_states` with the stack's own certificate.

        Raises:
            ToolError: The SuperLink does not answer.
        """
        if self._operator is None:
            self._operator = self.operator_certificate()
        try:
            return ask_node_states(endpoint=endpoint, ca_certificate=ca_certificate, identity=self._operator.identity)
        except ToolError:
            # It may be another one since the last pulumi up.
            self._operator = None
            raise

    def run(self, app: App, run_config: Mapping[str, Any], timeout_s: float) -> RunResult:
        """Run an app on the federation; print each round as it ends, and nodes that refuse it."""
        ended: list[Round] = []

        def under_way(seconds: float) -> str:
            return f"run under way, {len(ended) or 'no'} round{'s' * (len(ended) > 1)} ended ({seconds:.0f} s)"

        def round_ended(found: Round) -> None:
            ended.append(found)
            heartbeat.say(str(found))

        with (
            Heartbeat(under_way, say) as heartbeat,
            opened_tunnel(self.operator_certificate(), now=lambda: datetime.now(UTC)) as tunnel,
            tempfile.TemporaryDirectory(prefix="run-", dir=self.layout.state) as home,
        ):
            request = RunRequest(
                app=app,
                endpoint=tunnel.endpoint,
                ca_certificate=tunnel.ca_certificate,
                flwr=self.layout.flower_env / "bin" / "flwr",
                home=Path(home),
                run_config=dict(run_config),
                timeout_s=timeout_s,
            )
            return run_app(
                request,
                environment=self.environment,
                on_round=round_ended,
                on_refusal=lambda refusal: heartbeat.say(f"round {refusal.number}: {refusal}"),
            )


def check_set_up(layout: Layout) -> None:
    """See that engine and Flower's CLI are where setup put them: both lie in the user's cache, which can be removed.

    Raises:
        MachineError: One is not.
    """
    for program in (layout.bin / "pulumi", layout.flower_env / "bin" / "flwr"):
        if not program.exists():
            raise MachineError(
                given=f"{program}: not there",
                rule="the clone is set up",
                reason="every command works with the engine and with Flower's own CLI",
                remedy="run scripts/setup",
            )


def workplace(environ: Mapping[str, str] = os.environ) -> Workplace:
    """The clone that this command belongs to, or the folder that FEDERATION_ROOT puts in its place.

    Args:
        environ: The caller's environment, or what a command makes of it.

    Raises:
        InputError: FEDERATION_ROOT names no such folder; nothing was made there.
    """
    root = environ.get("FEDERATION_ROOT")
    if not root:
        return Workplace(project=project_folder(), environ=environ)
    if not Path(root).is_absolute() or not (Path(root) / "Pulumi.yaml").is_file():
        raise InputError(
            given=f"FEDERATION_ROOT={root}",
            rule="it is the absolute path of a folder with Pulumi.yaml and stacks/",
            reason="state, zones and stack files of every command are looked for there",
            remedy="correct it, or unset it: commands then work on the clone that they belong to",
        )
    return Workplace(project=Path(root), environ=environ)


def ask_node_states(*, endpoint: str, ca_certificate: str, identity: ClientIdentity) -> Mapping[str, str]:
    """State of each node that the SuperLink knows and has not revoked, by name.

    Args:
        endpoint: `host:port` of the Control API.
        ca_certificate: PEM of the federation CA.
        identity: What to show to the gateway.

    Raises:
        ToolError: It does not answer.
    """
    try:
        nodes = ControlClient(endpoint, ca_certificate, identity=identity, timeout_s=5.0).list_nodes()
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
    if place.operations.centre_of(federation, chosen) is None:
        return _zones_up(place, chosen, arguments.json, time.monotonic() - started)
    outputs = place.central_outputs()
    if arguments.json:
        print(json.dumps({"nodes": list(nodes), "outputs": outputs}, indent=2))
    else:
        print(f"up in {time.monotonic() - started:.0f} s; nodes online: {', '.join(nodes) or 'none'}")
        print("next: federation run, federation status, federation connect (for flwr)")
    return 0


def _zones_up(place: Workplace, chosen: Sequence[StackFile], as_json: bool, seconds: float) -> int:
    """Tell of zones whose centre others run."""
    outputs = {stack.name: place.stacks.outputs(stack) or {} for stack in chosen}
    brought = [node["name"] for entry in outputs.values() for node in entry.get("nodes", ())]
    if as_json:
        print(json.dumps({"nodes": [], "brought": brought, "outputs": outputs}, indent=2))
        return 0
    print(f"up in {seconds:.0f} s; nodes for the centre to enrol: {', '.join(brought) or 'none'}")
    for stack in chosen:
        print(f"next: federation answer {stack.zone}, and send the file to the centre's operator")
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
    with under_way("reading the stacks", say):
        status, now = place.operations.status(federation), datetime.now(UTC)
    if arguments.json:
        print(json.dumps(status_document(status, now=now), indent=2))
    else:
        console = terminal()
        console.print(stacks_table(status))
        console.print(nodes_table(status))
        console.print(certificates_table(status, now=now))
        if status.trouble:
            say(status.trouble)
    return 1 if status.trouble else 0


def _run(arguments: argparse.Namespace) -> int:
    check_seconds("--timeout", arguments.timeout)
    config = parse_run_config(arguments.config)
    place = workplace()
    text = arguments.app or str(place.layout.project / EXAMPLE_APP)
    app = text if text.startswith("@") else Path(text).resolve()
    check_app(app)
    result = place.run(app, config, arguments.timeout)
    if arguments.json:
        print(json.dumps(asdict(result), indent=2))
    else:
        terminal().print(rounds_table(result))
    return 0


def status_document(status: FederationStatus, *, now: datetime) -> dict[str, Any]:
    """The status for `--json`: node ids are texts, they exceed what JSON numbers hold.

    Args:
        status: Stacks and nodes.
        now: The current instant, aware; ends of certificates are counted from it.
    """
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
        "certificates": [end.document() for end in certificate_ends(status.central_outputs, now=now)],
        "trouble": status.trouble,
    }


def stacks_table(status: FederationStatus) -> Table:
    """Stacks for a terminal."""
    shown = table("stack", "kind", "state", "what it says")
    for entry in status.stacks:
        shown.add_row(entry.stack.name, entry.stack.kind, _state(entry.outputs), _summary(entry.stack, entry.outputs))
    return shown


def nodes_table(status: FederationStatus) -> Table:
    """Nodes for a terminal: what zones bring, and what the SuperLink says of it."""
    shown = table("node", "partition", "state")
    known = dict(status.nodes)
    asked = status.trouble is None and status.central_outputs
    unlisted = "not enrolled" if asked else "unknown" if status.central_outputs else "see the centre"
    for entry in status.stacks:
        for node in (entry.outputs or {}).get("nodes", ()):
            state = known.pop(node["name"], unlisted)
            shown.add_row(node["name"], str(int(node["partition_id"])), state)
    for name, state in sorted(known.items()):
        shown.add_row(name, "-", f"{state}, in no zone's stack")
    return shown


def certificates_table(status: FederationStatus, *, now: datetime) -> Table:
    """Ends of certificates for a terminal, the nearest first."""
    shown = table("certificate", "sha256", "ends (UTC)", "days left")
    for end in certificate_ends(status.central_outputs, now=now):
        days = str(end.days_left) if end.days_left > WARN_WITHIN_DAYS else f"{end.days_left}, due for renewal"
        shown.add_row(end.certificate, end.sha256[:16], f"{end.expires_at:%Y-%m-%d %H:%M}", days)
    return shown


def _state(outputs: Mapping[str, Any] | None) -> str:
    return "not there" if outputs is None else "up" if outputs else "destroyed"


def _summary(stack: StackFile, outputs: Mapping[str, Any] | None) -> str:
    if not outputs:
        return ""
    if stack.kind == "central":
        return f"Fleet {outputs.get('superlink_fleet_endpoint')}, Control {outputs.get('superlink_control_endpoint')}"
    return f"{int(outputs.get('pool_size', 0))} SuperNodes, service {outputs.get('service_id')}"
