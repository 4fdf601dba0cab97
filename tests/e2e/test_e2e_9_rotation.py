"""Certificates rotated, a CA exchanged, a node and a zone revoked, while runs are in progress and nodes stay.

The federation of `test_e2e_9_lifetimes.py`: one operator runs all stacks, as `federation rotate` expects. Each test
goes on from where the one before it left off; the times that they measure stand at the end of the session's output.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flower_federation import cli
from flower_federation.errors import ToolError
from flower_federation.rotation import served_certificate
from pulumi_flower.control import ControlClient, NodeState
from tests.appliance_support import whole_lines
from tests.e2e.control_view import client_of_the_moment
from tests.e2e.evidence import contexts, found_in, private_keys, public_evidence
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import (
    BERLIN,
    CENTRAL,
    COMMAND_S,
    FEDERATION_COMMAND,
    PARIS,
    Measured,
    Project,
    Timing,
    wait_until,
)
from tests.patience import PATIENCE_S
from tests.presence_support import Presence
from tests.yardstick import Slowdown

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.trust,
    pytest.mark.engine,
    pytest.mark.flower,
    pytest.mark.slow,
]

NODES = {"berlin/supernode-0", "berlin/supernode-1", "paris/supernode-0"}
REVOKED = "berlin/supernode-1"
OFFLINE_LIMIT_S = 10.0
REVOCATION_LIMIT_S = 60.0
"""On a machine that is there for it, from the beginning of `pulumi up` on."""


@pytest.fixture(scope="module")
def project(one_operator: Project) -> Project:
    return one_operator


class RunInProgress:
    """A training in another process; the block around it begins when its first round is over."""

    def __init__(self, project: Project, *, rounds: int, nodes: int) -> None:
        settings = ("--config", f"num-server-rounds={rounds}", "--config", f"min-nodes={nodes}")
        self._command = (project.layout.bin / "python", FEDERATION_COMMAND, project.folder, "run", "--json", *settings)
        self._project = project
        self._said: list[str] = []
        self._started = time.monotonic()

    def __enter__(self) -> RunInProgress:
        self._process = subprocess.Popen(
            [str(part) for part in self._command],
            cwd=self._project.folder,
            env=self._project.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        self._reader = threading.Thread(target=self._said.extend, args=(self._process.stderr,), daemon=True)
        self._reader.start()
        wait_until(
            lambda: any(line.startswith("round 1:") for line in self._said) or not self.in_progress,
            timeout_s=PATIENCE_S,
            what=lambda: f"a first round: {self._said}",
        )
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stdout, _ = self._process.communicate(timeout=COMMAND_S)
        finally:
            self._process.kill()
        self._project.timings.append(Timing(what="a run meanwhile", seconds=time.monotonic() - self._started))
        self._project.outputs.append(("federation run", f"{self._stdout}\n{''.join(self._said)}"))

    @property
    def in_progress(self) -> bool:
        """Whether it goes on."""
        return self._process.poll() is None

    def result(self) -> Mapping[str, Any]:
        """What it reported in the end."""
        assert self._process.returncode == 0, "".join(self._said)
        found: Mapping[str, Any] = json.loads(self._stdout)
        return found


def processes(project: Project) -> dict[str, set[int]]:
    """Processes whose restart somebody would notice, by zone and program."""
    found: dict[str, set[int]] = {}
    for name, zone in project.zones.items():
        view = ZoneView(zone)
        for vm_id in view.vms():
            for program in ("/flower-superlink ", "/flower-supernode ", "/caddy run"):
                pids = set(view.processes(vm_id, program))
                if pids:
                    found[f"{name} {vm_id} {program.strip(' /')}"] = pids
    return found


def audit_file(project: Project) -> Path:
    """The SuperLink's audit, in its VM."""
    view = ZoneView(project.zones["madrid"])
    (guest,) = (view.guest(vm_id) for vm_id in view.vms())
    return guest / "var/log/flower/audit.jsonl"


def audit_lines(project: Project, **wanted: str) -> list[dict[str, Any]]:
    """Lines of the SuperLink's audit that say all of it."""
    lines = [json.loads(line) for line in whole_lines(audit_file(project))]
    return [line for line in lines if wanted.items() <= line.items()]


def rotate(project: Project, *words: str) -> list[dict[str, Any]]:
    """A `federation` command that tells its steps."""
    ended = project.federation(*words, "--json")
    assert ended.returncode == 0, ended.text
    steps: list[dict[str, Any]] = json.loads(ended.stdout)
    return steps


def shows_another(endpoint: str, ca: str, before: str) -> bool:
    """Whether the gateway shows a certificate that is not the one before; no where it does not answer in time."""
    try:
        return served_certificate(endpoint, ca) != before
    except ToolError:
        return False


def told(what: str, steps: list[dict[str, Any]], measured: Measured) -> None:
    """Keep the times of a command's steps."""
    for step in steps:
        measured(f"{what}: {step['what']}", float(step["seconds"]))


def test_server_key_and_certificate_are_renewed_while_a_run_is_in_progress_and_no_process_restarts(
    project: Project, measured: Measured
) -> None:
    outputs = project.stack_outputs(CENTRAL)
    endpoint, ca = outputs["superlink_fleet_endpoint"], outputs["ca_certificate"]
    before, running = served_certificate(endpoint, ca), processes(project)
    client = project.control()

    with (
        RunInProgress(project, rounds=6, nodes=3) as run,
        Presence(lambda: client, NODES) as presence,
        ThreadPoolExecutor(max_workers=1) as pool,
    ):
        rotating = pool.submit(rotate, project, "rotate", "server-certificate", "--new-key")
        # The command itself goes on for a while: it waits for every node.
        wait_until(
            lambda: rotating.done() or shows_another(endpoint, ca, before),
            timeout_s=COMMAND_S,
            what=lambda: "another certificate",
        )
        renewed_during_the_run = run.in_progress
        steps = rotating.result()
    result = run.result()

    told("server key and certificate", steps, measured)
    measured("server key and certificate: longest absence of a node", presence.longest_s)
    assert renewed_during_the_run
    assert served_certificate(endpoint, ca) != before
    assert result["status"] == "finished:completed"
    assert [each["nodes"] for each in result["rounds"]] == [3] * 6
    served_now = served_certificate(endpoint, ca)
    rotated = {"action": "rotate", "reason": f"server certificate: sha256 {before} -> {served_now}"}
    wait_until(
        lambda: bool(audit_lines(project, **rotated)), timeout_s=PATIENCE_S, what=lambda: "the rotation in the audit"
    )
    assert processes(project) == running, "neither SuperLink nor gateway nor any node was restarted"
    assert {name: states for name, states in presence.seen.items() if states != ["online"]} == {}
    ended = project.pulumi("preview", "--expect-no-changes", stack=CENTRAL)
    assert ended.returncode == 0, ended.text


def test_a_ca_takes_over_with_one_command_and_no_node_is_away_for_more_than_ten_seconds(
    project: Project, measured: Measured
) -> None:
    outputs = project.stack_outputs(CENTRAL)
    before = {name: pids for name, pids in processes(project).items() if name.startswith("madrid")}
    client = client_of_the_moment(project)

    with Presence(client, NODES) as presence:
        steps = rotate(project, "rotate", "ca")

    told("CA", steps, measured)
    for name, seconds in sorted(presence.away_s.items()):
        measured(f"CA: longest absence of {name}", seconds)
    after = project.stack_outputs(CENTRAL)
    assert after["ca_fingerprint"] != outputs["ca_fingerprint"]
    assert len(after["ca_fingerprint"].split()) == 1
    assert {project.stack_outputs(stack)["ca_fingerprint"] for stack in (BERLIN, PARIS)} == {after["ca_fingerprint"]}
    assert served_certificate(after["superlink_fleet_endpoint"], after["ca_certificate"])
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        served_certificate(after["superlink_fleet_endpoint"], outputs["ca_certificate"])
    assert presence.within(OFFLINE_LIMIT_S), presence
    assert {name: pids for name, pids in processes(project).items() if name.startswith("madrid")} == before
    assert "generation: 2" in project.stack_file(CENTRAL).read_text()
    reasons = [line["reason"].partition(":")[0] for line in audit_lines(project, action="rotate")]
    assert {"CA certificate", "server certificate"} <= set(reasons)


def edit_central(project: Project, pattern: str, replacement: str) -> None:
    """Change the centre's file, as an operator does."""
    text, changed = re.subn(pattern, replacement, project.stack_file(CENTRAL).read_text())
    assert changed == 1, pattern
    project.stack_file(CENTRAL).write_text(text)


def states(client: ControlClient) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for node in client.list_nodes():
        found.setdefault(str(node.name), set()).add(node.state.value)
    return found


def revocations(project: Project, node_id: str) -> list[dict[str, Any]]:
    """Lines of the audit in which somebody unregistered this node, whatever came of it."""
    return audit_lines(project, action="unregister", node=node_id)


def one_revocation(project: Project, node_id: str) -> dict[str, Any]:
    """The only such line, once it is there: the gateway writes it when the call is over."""
    wait_until(
        lambda: bool(revocations(project, node_id)), timeout_s=PATIENCE_S, what=lambda: f"{node_id} in the audit"
    )
    (line,) = revocations(project, node_id)
    return line


def node_id_of(project: Project, node: str) -> str:
    """A node's number, as the centre registered it."""
    registered = {each["name"]: each["node_id"] for each in project.stack_outputs(CENTRAL)["registered_nodes"]}
    return str(registered[node])


def supernode_of(project: Project, node: str) -> tuple[ZoneView, int]:
    """The zone and VM of a node."""
    zone, _, end = node.partition("/")
    view = ZoneView(project.zones[zone])
    (vm_id,) = (number for number, name in view.vms().items() if name.startswith(f"{end.replace('-', '_')}_("))
    return view, vm_id


def test_a_node_taken_from_the_centres_file_is_out_within_a_minute_and_the_run_goes_on(
    project: Project, measured: Measured
) -> None:
    client, node_id = project.control(), node_id_of(project, REVOKED)
    view, vm_id = supernode_of(project, REVOKED)
    others = {name: pids for name, pids in processes(project).items() if name != f"berlin {vm_id} flower-supernode"}
    edit_central(project, r"(    - name: berlin\n)", rf"\1      revoked: [{REVOKED}]\n")

    # Its first round, on all three nodes, is also the first training under the new CA.
    with (
        RunInProgress(project, rounds=2, nodes=2) as run,
        Presence(lambda: client, NODES - {REVOKED}) as presence,
        Slowdown() as machine,
    ):
        started = time.monotonic()
        project.up(CENTRAL)
        wait_until(
            lambda: (
                states(client)[REVOKED] == {NodeState.UNREGISTERED.value}
                and not view.processes(vm_id, "/flower-supernode ")
            ),
            timeout_s=PATIENCE_S,
            what=lambda: f"{REVOKED} out: {states(client)}",
        )
        seconds = time.monotonic() - started
    result = run.result()

    measured("a node revoked, from the beginning of pulumi up", seconds)
    measured("a node revoked: longest absence of another", presence.longest_s)
    assert result["rounds"][0]["nodes"] == 3
    assert seconds <= REVOCATION_LIMIT_S * machine.factor, machine.seen
    assert result["status"] == "finished:completed"
    assert {name: pids for name, pids in processes(project).items() if name in others} == others
    assert {name: seen for name, seen in presence.seen.items() if seen != ["online"]} == {}
    line = one_revocation(project, node_id)
    assert (line["outcome"], line["actor"]["role"]) == ("done", "operator")


def test_it_is_refused_still_after_the_superlink_was_restarted(project: Project, measured: Measured) -> None:
    client = project.control()
    (node_id,) = (str(node.node_id) for node in client.list_nodes() if node.name == REVOKED)
    key = node_key_of(project, REVOKED)
    madrid = ZoneView(project.zones["madrid"])
    (vm_id,) = madrid.vms()
    (killed,) = madrid.processes(vm_id, "/flower-superlink ")
    os.kill(killed, signal.SIGKILL)
    started = time.monotonic()
    wait_until(
        lambda: bool(set(madrid.processes(vm_id, "/flower-superlink ")) - {killed}),
        timeout_s=PATIENCE_S,
        what=lambda: "another SuperLink process",
    )
    project.wait_online(client, NODES - {REVOKED})
    measured("a SuperLink killed: until all nodes that may are online again", time.monotonic() - started)

    assert states(client)[REVOKED] == {NodeState.UNREGISTERED.value}
    berlin, revoked_vm = supernode_of(project, REVOKED)
    # The supervisor starts a SuperNode that was cut off once more; if that falls into the SuperLink's absence, it is
    # told no as soon as somebody answers, and from then on it waits for a yes (tests/unit/test_appliance_states.py).
    wait_until(
        lambda: not berlin.processes(revoked_vm, "/flower-supernode "),
        timeout_s=PATIENCE_S,
        what=lambda: f"{REVOKED} refused: {states(client)}",
    )
    project.up(CENTRAL)
    assert states(client)[REVOKED] == {NodeState.UNREGISTERED.value}, "nobody lets it in again by the way"
    assert one_revocation(project, node_id)["outcome"] == "done", "once, and not again after the restart"
    assert node_key_of(project, REVOKED) == key, "it makes no new key unless it is told to"


def node_key_of(project: Project, node: str) -> bytes:
    """Digest of the key in a node's VM."""
    view, vm_id = supernode_of(project, node)
    return hashlib.sha256((view.guest(vm_id) / "etc/flower/certs/node.key").read_bytes()).digest()


def test_it_comes_back_with_a_new_key_when_both_operators_say_so(project: Project, measured: Measured) -> None:
    refused = project.federation("rekey", REVOKED)
    assert refused.returncode == 2
    assert f"remove {REVOKED} from revoked" in refused.text
    before = {node["name"]: node["fingerprint"] for node in project.stack_outputs(BERLIN)["nodes"]}
    edit_central(project, rf"      revoked: \[{REVOKED}\]\n", "")

    told("new key", rotate(project, "rekey", REVOKED), measured)

    after = {node["name"]: node["fingerprint"] for node in project.stack_outputs(BERLIN)["nodes"]}
    assert {name for name in after if after[name] != before[name]} == {REVOKED}
    project.wait_online(project.control(), NODES)
    result = project.train(rounds=1, nodes=3)
    assert [each["nodes"] for each in result["rounds"]] == [3]


def test_a_zone_taken_from_the_centres_file_is_out_within_a_minute_and_the_other_stays(
    project: Project, measured: Measured
) -> None:
    client, node_id = project.control(), node_id_of(project, "paris/supernode-0")
    edit_central(project, r"    - name: paris\n(?:      .*\n)+", "")

    with Presence(lambda: client, {"berlin/supernode-0", "berlin/supernode-1"}) as presence, Slowdown() as machine:
        started = time.monotonic()
        project.up(CENTRAL)
        paris, vm_id = supernode_of(project, "paris/supernode-0")
        wait_until(
            lambda: (
                states(client)["paris/supernode-0"] == {NodeState.UNREGISTERED.value}
                and not paris.processes(vm_id, "/flower-supernode ")
            ),
            timeout_s=PATIENCE_S,
            what=lambda: f"paris out: {states(client)}",
        )
        seconds = time.monotonic() - started

    measured("a zone revoked, from the beginning of pulumi up", seconds)
    assert seconds <= REVOCATION_LIMIT_S * machine.factor, machine.seen
    assert {name: seen for name, seen in presence.seen.items() if seen != ["online"]} == {}
    line = one_revocation(project, node_id)
    assert (line["outcome"], line["actor"]["role"]) == ("done", "operator")


def test_the_audit_is_one_whole_chain_through_all_of_this(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["audit", "verify", str(audit_file(project))]) == 0
    assert "whole" in capsys.readouterr().out
    done = {line["action"] for line in audit_lines(project, outcome="done")}
    assert {"register", "unregister", "run", "rotate"} <= done


def test_no_private_key_came_to_light_in_any_of_this(project: Project, measured: Measured) -> None:
    started = time.monotonic()
    secrets = private_keys(project)
    evidence = [*public_evidence(project), *contexts(project)]

    assert {where: found for where, content in evidence if (found := found_in(content, secrets))} == {}
    assert len(evidence) > 50
    assert len(secrets) > len(ZoneView(project.zones["berlin"]).vms()) + len(ZoneView(project.zones["paris"]).vms())
    for part in ("OneFlow of madrid", "OneGate of berlin", "CONTEXT on the disk of VM 0 of madrid", "stack export of"):
        assert any(part in where for where, _ in evidence), part
    measured(f"search of {len(evidence)} places for {len(secrets)} private keys", time.monotonic() - started)
