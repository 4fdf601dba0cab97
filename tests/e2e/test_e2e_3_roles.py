"""People of the centre's file use the Control API, each as far as the role goes, and the audit says who did what.

Everything is typed as a person types it: `pulumi up`, `federation certificate export`, `federation connect`, `flwr`.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from flower_federation import cli
from tests.appliance_support import whole_lines
from tests.control_support import run_flwr
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import CENTRAL, FEDERATION_COMMAND, REPOSITORY, Measured, Project, Timing, wait_until
from tests.patience import PATIENCE_S

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.flower, pytest.mark.slow]

PEOPLE = """\
  flower-federation:people:
    - name: Ada
      role: researcher
    - name: Grace
      role: researcher
    - name: Eve
      role: auditor
"""


@pytest.fixture(scope="module")
def staffed(federation: Project) -> Iterator[Project]:
    """The federation, with people in the centre's file; taken out again, so that other tests see the usual one."""
    file = federation.stack_file(CENTRAL)
    before = file.read_text()
    services = superlink_processes(federation)
    file.write_text(before.replace("  flower-federation:adminNetworks:", f"{PEOPLE}  flower-federation:adminNetworks:"))
    federation.up(CENTRAL)
    assert superlink_processes(federation) == services, "new people restart nothing"
    try:
        yield federation
    finally:
        file.write_text(before)
        federation.up(CENTRAL)


def superlink_processes(project: Project) -> dict[int, str]:
    madrid = ZoneView(project.zones["madrid"])
    (vm_id,) = madrid.vms()
    return {**madrid.processes(vm_id, "/flower-superlink "), **madrid.processes(vm_id, "/caddy ")}


def audit_file(project: Project) -> Path:
    madrid = ZoneView(project.zones["madrid"])
    (vm_id,) = madrid.vms()
    return madrid.guest(vm_id) / "var/log/flower/audit.jsonl"


def published_head(project: Project) -> str:
    """FL_AUDIT_HEAD as the zone's operator sees it."""
    madrid = ZoneView(project.zones["madrid"])
    (vm_id,) = madrid.vms()
    vm = ElementTree.fromstring(madrid.call("vm.info", vm_id))
    return str(vm.findtext("USER_TEMPLATE/FL_AUDIT_HEAD") or "")


def lines(project: Project, **wanted: Any) -> list[dict[str, Any]]:
    name = wanted.pop("name", None)
    found = [json.loads(line) for line in whole_lines(audit_file(project))]
    return [
        line
        for line in found
        if all(line.get(key) == value for key, value in wanted.items())
        and (name is None or (line["actor"] or {}).get("name") == name)
    ]


@contextlib.contextmanager
def connected(project: Project, *arguments: str) -> Iterator[dict[str, Any]]:
    """`federation connect`, ended by Ctrl-C."""
    command = [str(project.layout.bin / "python"), str(FEDERATION_COMMAND), str(project.folder), "connect", "--json"]
    started = time.monotonic()
    process = subprocess.Popen(
        [*command, *arguments],
        env=project.environment(CENTRAL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=PATIENCE_S)[1]
        project.timings.append(Timing(what="federation connect, until it is open", seconds=time.monotonic() - started))
        yield json.loads(line)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.communicate()


def exported(project: Project, name: str, folder: Path) -> tuple[str, str]:
    """`federation certificate export`; the arguments that connect takes for it."""
    ended = project.federation("certificate", "export", name, "--output", str(folder), stack=CENTRAL)
    assert ended.returncode == 0, ended.text
    return "--certificate", str(folder)


def test_the_centres_file_says_who_has_a_certificate_and_which_role(staffed: Project) -> None:
    ended = staffed.federation("certificate", "list", "--json", stack=CENTRAL)
    assert ended.returncode == 0, ended.text
    assert {entry["name"]: entry["role"] for entry in json.loads(ended.stdout)} == {
        "central stack": "operator",
        "Ada": "researcher",
        "Grace": "researcher",
        "Eve": "auditor",
    }


def test_an_exported_certificate_is_for_its_owner_alone(staffed: Project, tmp_path: Path) -> None:
    exported(staffed, "Eve", tmp_path / "eve")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "eve").iterdir()} == {0o600}
    refused = staffed.federation("certificate", "export", "Mallory", "--output", str(tmp_path / "m"), stack=CENTRAL)
    assert refused.returncode == 2
    assert "people" in refused.stderr


def test_a_researcher_trains_and_stops_only_what_is_his_own(
    staffed: Project, tmp_path: Path, measured: Measured
) -> None:
    app = str(REPOSITORY / "examples/breast_cancer")
    with (
        connected(staffed, *exported(staffed, "Ada", tmp_path / "ada"), "--home", str(tmp_path / "a")) as ada,
        connected(staffed, *exported(staffed, "Grace", tmp_path / "grace"), "--home", str(tmp_path / "g")) as grace,
    ):
        run = run_flwr(Path(ada["flwr_home"]), "run", app, "federation")
        run_id = str(run["run-id"])
        refused = run_flwr(Path(grace["flwr_home"]), "stop", run_id)
        assert f"you did not start run {run_id}; Ada did" in refused["error-message"]
        started = time.monotonic()
        assert run_flwr(Path(ada["flwr_home"]), "stop", run_id)["success"]
        measured("flwr stop of a researcher's own run", time.monotonic() - started)

    wait_until(lambda: bool(lines(staffed, name="Ada", action="stop")), timeout_s=PATIENCE_S, what=lambda: "Ada's stop")
    assert [line["run"] for line in lines(staffed, name="Ada", action="run")] == [run_id]
    assert [line["outcome"] for line in lines(staffed, name="Grace", action="stop")] == ["refused"]
    assert [line["outcome"] for line in lines(staffed, name="Ada", action="stop")] == ["done"]
    assert [line["outcome"] for line in lines(staffed, name="Ada", action="connect")] == ["done"]


def test_an_auditor_reads_and_is_refused_everything_else(staffed: Project, tmp_path: Path) -> None:
    node = lines(staffed, action="register")[0]["node"]
    with connected(staffed, *exported(staffed, "Eve", tmp_path / "eve"), "--home", str(tmp_path / "e")) as eve:
        home = Path(eve["flwr_home"])
        assert len(run_flwr(home, "supernode", "list")["nodes"]) == 3
        refused = run_flwr(home, "supernode", "unregister", node)
    assert "Your role, auditor, may not call unregister-node" in refused["error-message"]
    wait_until(
        lambda: bool(lines(staffed, name="Eve", action="unregister")), timeout_s=PATIENCE_S, what=lambda: "her refusal"
    )
    assert [line["outcome"] for line in lines(staffed, name="Eve", action="unregister")] == ["refused"]


def test_the_operator_of_the_centre_needs_no_more_than_federation_connect(staffed: Project) -> None:
    with connected(staffed) as own:
        assert Path(own["flwr_home"]) == staffed.layout.flwr_home
        assert own["role"] == "operator"
        assert run_flwr(staffed.layout.flwr_home, "ls")["success"]
    assert not (staffed.layout.flwr_home / "config.toml").exists()


def test_the_stack_itself_enrolled_the_nodes_and_each_has_one_line(staffed: Project) -> None:
    registered = lines(staffed, action="register", outcome="done")
    assert {line["actor"]["name"] for line in registered} == {"central stack"}
    outputs = staffed.stack_outputs(CENTRAL)
    assert sorted(line["node"] for line in registered) == sorted(
        node["node_id"] for node in outputs["registered_nodes"]
    )


def test_the_exported_audit_is_whole_up_to_the_head_that_the_zone_shows_and_all_tampering_is_found(
    staffed: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wait_until(lambda: bool(published_head(staffed)), timeout_s=PATIENCE_S, what=lambda: "FL_AUDIT_HEAD")
    head = published_head(staffed)
    # What the log pipeline gets: every line of the audit, among what the service says beside it.
    exported = audit_file(staffed).with_name("flower-audit.log")
    chain = whole_lines(audit_file(staffed))
    wait_until(
        lambda: chain[-1] in whole_lines(exported), timeout_s=PATIENCE_S, what=lambda: f"{chain[-1]} in {exported}"
    )
    whole = [line for line in whole_lines(exported) if line.startswith("{")]
    copy = tmp_path / "audit.jsonl"

    copy.write_text("\n".join(whole) + "\n")
    ended = staffed.federation("audit", "verify", str(copy), "--head", head)
    assert ended.returncode == 0, ended.text
    assert whole[: len(chain)] == chain

    def verified(lines: list[str]) -> tuple[int, str]:
        """In this process, which is quicker."""
        copy.write_text("\n".join(lines) + "\n")
        status = cli.main(["audit", "verify", str(copy), "--head", head])
        return status, capsys.readouterr().out

    assert verified(whole)[0] == 0
    seq, middle = int(head.partition(":")[0]), len(chain) // 2
    cut, said = verified(whole[: seq - 1])
    assert (cut, "cut off" in said) == (1, True), said
    changed = [line.replace('"name":"Ada"', '"name":"Eve"') for line in whole]
    moved = [*whole[:middle], whole[middle + 1], whole[middle], *whole[middle + 2 :]]
    for tampered in (changed, [*whole[:middle], *whole[middle + 1 :]], moved, [*whole[:middle], *whole[middle - 1 :]]):
        assert tampered != whole
        assert verified(tampered)[0] == 1


def test_no_private_key_is_in_the_audit_or_any_log_of_the_superlink(staffed: Project) -> None:
    logs = [path for path in audit_file(staffed).parent.rglob("*") if path.is_file()]
    assert {"audit.jsonl", "flower-audit.log", "gateway-control.log"} <= {path.name for path in logs}
    for path in logs:
        assert b"PRIVATE KEY" not in path.read_bytes(), path.name
