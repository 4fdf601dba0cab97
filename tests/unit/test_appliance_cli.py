"""The command line: dry runs, the process image, and what a process VM must be given."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flower_appliance.cli import main
from flower_appliance.errors import ApplianceError
from flower_appliance.guest import Guest, onegate_access
from flower_appliance.image import PROGRAMS
from flower_appliance.shellvars import render_assignments
from tests.appliance_support import TOKEN, b64, make_authority, superlink_values, supernode_values

CA = make_authority(start=datetime.now(UTC) - timedelta(hours=1))


def context_file(tmp_path: Path, values: dict[str, str]) -> str:
    path = tmp_path / "context.sh"
    path.write_text(render_assignments(values))
    return str(path)


def test_a_dry_run_shows_the_plan_without_secrets_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = superlink_values(CA)
    root = tmp_path / "root"
    status = main(["plan", "--context", context_file(tmp_path, values), "--root", str(root), "--json"])
    shown = capsys.readouterr().out

    assert status == 0
    assert [unit["name"] for unit in json.loads(shown)["units"]] == [
        "flower-superlink.service",
        "flower-gateway.service",
        "flower-audit.service",
    ]
    assert "PRIVATE KEY" not in shown
    assert values["FL_SERVER_KEY"] not in shown
    assert not root.exists()


def test_a_dry_run_shows_unit_files_for_systemd(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--vm-name", "supernode_1_(service_4)", "--service-user", "flower", "--bin", "/opt/flower/bin"]
    status = main(["plan", "--context", context_file(tmp_path, supernode_values(CA)), *arguments])
    shown = capsys.readouterr().out

    assert status == 0
    assert "# /etc/systemd/system/flower-supernode.service" in shown
    assert "ExecStart=/opt/flower/bin/flower-supernode " in shown
    assert "User=flower" in shown


def test_a_refused_context_is_an_error_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = {**supernode_values(CA), "FL_TLS_ENABLED": "NO"}
    status = main(["plan", "--context", context_file(tmp_path, values), "--json"])
    captured = capsys.readouterr()

    assert status == 1
    assert captured.out == ""
    assert "FL_TLS_ENABLED is 'NO'" in captured.err


def test_a_context_file_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--context", str(tmp_path / "none.sh")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_a_check_finds_the_machines_own_context_and_says_its_role(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "context").mkdir()
    context_file(tmp_path / "context", superlink_values(CA))
    status = main(["check", "--root", str(tmp_path)])

    assert status == 0
    assert capsys.readouterr().out.startswith(
        "superlink of federation hospitals in zone berlin: flower-superlink.service, flower-gateway.service,"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["context"]


def test_a_check_refuses_what_a_boot_would_refuse_and_a_machine_without_a_context(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--root", str(tmp_path)]) == 1
    assert "one of them must hold the CONTEXT" in capsys.readouterr().err
    (tmp_path / "context").mkdir()
    context_file(tmp_path / "context", {**supernode_values(CA), "FL_NUM_PARTITIONS": "none"})
    assert main(["check", "--root", str(tmp_path)]) == 1
    assert "FL_NUM_PARTITIONS is 'none'" in capsys.readouterr().err


def test_the_process_image_starts_this_source_in_the_given_environment(tmp_path: Path) -> None:
    for program in PROGRAMS:
        (tmp_path / program).touch(mode=0o755)
    output = tmp_path / "out" / "image.json"
    status = main(["image", "process", "--bin", str(tmp_path), "--output", str(output)])
    image = json.loads(output.read_text())

    assert status == 0
    assert image["format"] == "zonebox-process/1"
    assert image["command"] == [str(tmp_path / "python"), "-m", "flower_appliance", "boot"]
    assert (Path(image["environment"]["PYTHONPATH"]) / "flower_appliance" / "cli.py").is_file()
    assert image["environment"]["PATH"].split(":")[0] == str(tmp_path)


def test_an_environment_without_flower_makes_no_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["image", "process", "--bin", str(tmp_path), "--output", str(tmp_path / "image.json")])

    assert status == 1
    assert "lacks python, flower-superlink" in capsys.readouterr().err
    assert not (tmp_path / "image.json").exists()


def test_booting_outside_of_a_vm_says_what_is_missing() -> None:
    with pytest.raises(ApplianceError, match=r"VM_ROOT, VM_CONTEXT not in the environment.*process driver"):
        Guest.from_environment({"VM_ID": "x", "VM_ADDRESS": "127.0.0.1"})


def test_in_a_process_vm_its_address_stands_in_for_loopback(tmp_path: Path) -> None:
    guest = Guest.from_environment(
        {"VM_ID": "x", "VM_ROOT": "/r", "VM_CONTEXT": str(tmp_path), "VM_ADDRESS": "127.9.9.2"}, bin_dir=Path("/b")
    )
    machine = guest.machine("name")

    assert (machine.loopback, machine.address) == ("127.9.9.2", "127.9.9.2")
    assert machine.path("/etc/flower") == Path("/r/etc/flower")
    assert guest.base_environment()["VM_ID"] == "x"
    assert "PYTHONPATH" not in guest.base_environment()


def test_without_endpoint_id_or_token_there_is_no_onegate() -> None:
    whole = {"ONEGATE_ENDPOINT": "http://127.0.0.1:5030", "VMID": "7"}

    assert onegate_access(whole, TOKEN, ca_file=None) is not None
    assert onegate_access(whole, "", ca_file=None) is None
    assert onegate_access({**whole, "VMID": ""}, TOKEN, ca_file=None) is None
    assert onegate_access({**whole, "ONEGATE_ENDPOINT": "file:///etc/passwd"}, TOKEN, ca_file=None) is None


def test_a_ca_for_onegate_is_written_before_the_context_is_judged(tmp_path: Path) -> None:
    from flower_appliance.cli import _onegate_ca

    guest = Guest.from_environment(
        {"VM_ID": "x", "VM_ROOT": str(tmp_path), "VM_CONTEXT": str(tmp_path), "VM_ADDRESS": "127.9.9.2"}
    )

    path = _onegate_ca(guest, {"FL_ONEGATE_CA": b64(CA.pem)})

    assert path is not None
    assert path.read_text() == CA.pem
    assert _onegate_ca(guest, {}) is None
