"""The demo's zones, the command line around it, and what `--down` may remove."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from flower_federation import cli, demo
from flower_federation.command_values import parse_run_config
from flower_federation.console import Console
from flower_federation.demo import Demo, removable
from flower_federation.environment import Layout
from flower_federation.errors import InputError, ToolError
from flower_federation.operations import Federation, FederationStatus, StackStatus
from flower_federation.operations_cli import nodes_table, status_document
from flower_federation.processes import Finished
from flower_federation.runs_report import RunResult
from flower_federation.stacks import StackFile, read_stack_files
from flower_federation.zones import EmbeddedZone, Zones, embedded_zones
from tests.infra_support import PROJECT


class Runner:
    """Remembers what was started; answers with one exit status."""

    def __init__(self, returncode: int = 0) -> None:
        self.started: list[list[str]] = []
        self._returncode = returncode

    def __call__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        timeout_s: float | None = None,
        progress: Any = None,
    ) -> Finished:
        self.started.append([str(part) for part in argv])
        return Finished(returncode=self._returncode, output="address in use", seconds=0.1)


def zones_of(tmp_path: Path, runner: Runner) -> Zones:
    return Zones(layout=Layout(project=tmp_path), environment={}, run=runner, say=lambda _: None)


def test_the_committed_stacks_are_three_zones_on_the_addresses_of_the_architecture(tmp_path: Path) -> None:
    zones = embedded_zones(read_stack_files(PROJECT), Layout(project=tmp_path))

    assert [(zone.name, str(zone.address), zone.data_path) for zone in zones] == [
        ("madrid", "127.10.0.1", None),
        ("berlin", "127.20.0.1", "/srv/flower/data"),
        ("paris", "127.30.0.1", "/srv/flower/data"),
    ]
    assert zones[1].state == tmp_path / ".federation" / "zones" / "berlin"


def test_a_stack_on_a_real_cloud_is_no_embedded_zone(tmp_path: Path) -> None:
    real = StackFile(name="s", kind="zone", zone="rome", central="c", endpoint="https://one.example.org:2633/RPC2")

    assert embedded_zones([real], Layout(project=tmp_path)) == ()


def test_a_zone_is_started_with_its_data_shared_under_the_guests_path(tmp_path: Path) -> None:
    runner = Runner()
    zone = EmbeddedZone(
        name="berlin", address=IPv4Address("127.20.0.1"), state=tmp_path / "berlin", data_path="/srv/flower/data"
    )

    zones_of(tmp_path, runner).start(zone)

    ((_, *arguments),) = runner.started
    assert arguments[:7] == ["up", "--name", "berlin", "--state", str(zone.state), "--address", "127.20.0.1"]
    assert arguments[7:] == ["--share", f"/srv/flower/data={zone.data}"]
    assert zone.data.is_dir()


def test_a_zone_that_does_not_come_up_is_told_with_its_last_lines(tmp_path: Path) -> None:
    zone = EmbeddedZone(name="b", address=IPv4Address("127.20.0.1"), state=tmp_path / "b", data_path=None)

    with pytest.raises(ToolError, match="address in use") as error:
        zones_of(tmp_path, Runner(returncode=1)).start(zone)
    assert "127.20.0.1" in error.value.remedy


def test_a_zone_that_never_ran_needs_no_stopping(tmp_path: Path) -> None:
    runner = Runner()
    zone = EmbeddedZone(name="b", address=IPv4Address("127.20.0.1"), state=tmp_path / "b", data_path=None)

    zones_of(tmp_path, runner).stop(zone)
    assert runner.started == []


def test_down_removes_all_state_unless_the_backend_has_other_stacks(tmp_path: Path) -> None:
    layout = Layout(project=tmp_path)
    zone = layout.state / "zones" / "berlin"
    zone.mkdir(parents=True)

    assert removable(layout, [zone], environment={}) == (layout.state,)

    other = layout.backend / ".pulumi" / "stacks" / "flower-federation" / "production.json"
    other.parent.mkdir(parents=True)
    other.write_text("{}")
    assert removable(layout, [zone], environment={}) == (zone,)


@pytest.mark.parametrize("url", ["s3://hospital-state", "file:///srv/pulumi", "file://{own}?metadata=skip"])
def test_down_keeps_the_passphrase_that_stacks_of_another_backend_may_need(tmp_path: Path, url: str) -> None:
    layout = Layout(project=tmp_path)
    zone = layout.state / "zones" / "berlin"
    zone.mkdir(parents=True)

    found = removable(layout, [zone], environment={"PULUMI_BACKEND_URL": url.format(own=layout.backend)})
    assert found == ((layout.state,) if "{own}" in url else (zone,))


def test_down_keeps_the_passphrase_that_a_stack_file_is_encrypted_with(tmp_path: Path) -> None:
    layout = Layout(project=tmp_path)
    zone = layout.state / "zones" / "berlin"
    zone.mkdir(parents=True)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.hospital.yaml").write_text("config: {}\nencryptionsalt: v1:abc=\n")

    assert removable(layout, [zone], environment={}) == (zone,)


def test_down_of_nothing_removes_nothing(tmp_path: Path) -> None:
    assert removable(Layout(project=tmp_path), [], environment={}) == ()


@pytest.mark.parametrize(
    ("pair", "value"),
    [("a=3", 3), ("a=0.5", 0.5), ("a=true", True), ("a=false", False), ("a=text=more", "text=more"), ("a=", "")],
)
def test_settings_of_a_run_are_typed(pair: str, value: object) -> None:
    assert parse_run_config([pair]) == {"a": value}


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(InputError, match="num-server-rounds"):
        parse_run_config(["rounds"])


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def status() -> FederationStatus:
    central = StackFile(name="c", kind="central", zone="madrid", central=None)
    zone = StackFile(name="z", kind="zone", zone="berlin", central="c")
    nodes = [{"name": f"berlin/supernode-{n}", "partition_id": n} for n in (0, 1)]
    return FederationStatus(
        stacks=(
            StackStatus(stack=central, outputs={"registered_nodes": []}),
            StackStatus(stack=zone, outputs={"nodes": nodes}),
        ),
        nodes={"berlin/supernode-0": "online", "rome/supernode-0": "offline"},
        trouble=None,
    )


def test_the_status_table_tells_nodes_that_are_not_enrolled_and_enrolments_without_a_node() -> None:
    cells = [list(column.cells) for column in nodes_table(status()).columns]

    assert list(zip(cells[0], cells[2], strict=True)) == [
        ("berlin/supernode-0", "online"),
        ("berlin/supernode-1", "not enrolled"),
        ("rome/supernode-0", "offline, in no zone's stack"),
    ]


def test_the_status_as_json_names_each_stacks_state() -> None:
    document = status_document(status(), now=NOON)

    assert [(entry["name"], entry["state"]) for entry in document["stacks"]] == [("c", "up"), ("z", "up")]
    assert document["certificates"] == []


def with_handler(handler: Any, patch: pytest.MonkeyPatch) -> int:
    def parser() -> argparse.ArgumentParser:
        result = argparse.ArgumentParser()
        result.set_defaults(handler=handler)
        return result

    patch.setattr(cli, "parser", parser)
    return cli.main([])


def test_a_refusal_is_printed_whole_and_sets_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: argparse.Namespace) -> int:
        raise InputError(given="stack rome", rule="exists", reason="because", remedy="correct the name")

    assert with_handler(refuse, monkeypatch) == 2
    assert "remedy: correct the name" in capsys.readouterr().err


def test_an_interrupt_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    assert with_handler(interrupted, monkeypatch) == 130
    assert "run it again" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["up", "down", "status", "run", "demo", "preview", "image build"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*command.split(), "--help"])

    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out


CENTRE = StackFile(name="c", kind="central", zone="madrid", central=None, endpoint="https://127.10.0.1:2633/RPC2")
ZONE = StackFile(name="z", kind="zone", zone="berlin", central="c", endpoint="https://127.20.0.1:2633/RPC2")
HOSPITAL = StackFile(name="h", kind="zone", zone="berlin", central="c", endpoint="https://one.example.org:2633/RPC2")
INHERITED = StackFile(name="i", kind="zone", zone="rome", central="c")


class Place:
    """Remembers which stacks the demo touches."""

    def __init__(self, project: Path, *files: StackFile) -> None:
        self.layout = Layout(project=project)
        self.environment: dict[str, str] = {}
        self.files = files
        self.stacks = self.operations = self
        self.brought_up: list[str] = []
        self.forgotten: list[str] = []
        self.salt_dropped: list[str] = []

    def up(self, federation: Federation, chosen: Sequence[StackFile]) -> tuple[str, ...]:
        known = (federation.own_central, *federation.zones)
        assert set(known) == set(chosen), "a centre or zone that is not chosen may be brought up, too"
        self.brought_up += [stack.name for stack in chosen]
        return ()

    def forget(self, stack: StackFile) -> bool:
        self.forgotten.append(stack.name)
        return True

    def drop_salt(self, stack: StackFile) -> bool:
        self.salt_dropped.append(stack.name)
        return False

    def run(self, *_: object) -> RunResult:
        return RunResult(run_id="1", status="finished:completed", rounds=(), seconds=1.0)


def demo_of(place: Place) -> Demo:
    console = Console(stream=io.StringIO(), clock=lambda: 0.0, total=5)
    return Demo(place=place, run=Runner(), console=console)  # type: ignore[arg-type]


def test_the_demo_brings_up_and_forgets_no_stack_of_a_real_cloud_beside_its_own(tmp_path: Path) -> None:
    place = Place(tmp_path, CENTRE, ZONE, HOSPITAL, INHERITED)

    demo_of(place).up()
    assert demo_of(place).down() == ("c", "z")

    assert place.brought_up == ["c", "z"]
    assert place.forgotten == ["c", "z"], "a stack that is forgotten leaves its VMs to nobody"
    assert place.salt_dropped == ["c", "z"] * 2, "the passphrase goes with the state, and the next one is another"


def test_zones_of_the_demo_whose_centre_is_a_real_cloud_are_not_brought_up(tmp_path: Path) -> None:
    real = replace(CENTRE, endpoint="https://one.example.org:2633/RPC2")
    place = Place(tmp_path, real, ZONE)

    with pytest.raises(InputError, match=r"all of kind zone[\s\S]*Pulumi\.madrid-central\.yaml"):
        demo_of(place).up()
    assert place.brought_up == []


def test_down_tells_what_it_removed_as_json_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path, CENTRE, ZONE)
    place.layout.state.mkdir()
    monkeypatch.setattr(demo, "workplace", lambda: place)

    assert cli.main(["demo", "--down", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"removed": ["c", "z"], "kept": None}
    assert not place.layout.state.exists()
