"""Files as they land on disk: modes, owners, what counts as a change."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from flower_appliance.apply import apply, remember
from flower_appliance.context import SuperLinkContext, read_context
from flower_appliance.errors import NodeKeyError
from flower_appliance.files import write_file, write_if_changed
from flower_appliance.machine import Machine
from flower_appliance.nodekey import ensure_node_key, public_key
from flower_appliance.plan import plan
from flower_appliance.planned import Plan
from flower_appliance.readiness import readable_by, run_checks
from tests.appliance_support import NOW, key_pem, make_authority, superlink_values, supernode_values

CA = make_authority()


def machine(root: Path) -> Machine:
    return Machine(
        root=root, loopback="127.0.0.1", address="10.0.0.5", bin_dir=Path("/opt/bin"), vm_name="supernode_0_(service_1)"
    )


def planned(root: Path, values: dict[str, str]) -> Plan:
    return plan(read_context(values, now=NOW), machine(root))


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_secret_is_private_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    real_open = os.open

    def watching(path: Path, flags: int, given: int = 0o777, **rest: int) -> int:
        modes.append(given)
        return real_open(path, flags, given, **rest)

    monkeypatch.setattr(os, "open", watching)
    write_file(tmp_path / "key", b"secret", mode=0o600)

    assert modes == [0o600]
    assert mode(tmp_path / "key") == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_a_file_is_written_only_where_content_or_mode_differ(tmp_path: Path) -> None:
    path = tmp_path / "file"

    assert write_if_changed(path, b"a", mode=0o640)
    assert not write_if_changed(path, b"a", mode=0o640)
    assert write_if_changed(path, b"a", mode=0o600)
    assert write_if_changed(path, b"b", mode=0o600)
    assert path.read_bytes() == b"b"


def test_a_link_in_a_files_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"a")
    (tmp_path / "file").symlink_to(target)

    write_if_changed(tmp_path / "file", b"b", mode=0o600)

    assert target.read_bytes() == b"a"
    assert not (tmp_path / "file").is_symlink()


def test_the_node_key_is_made_once_in_the_format_that_flower_takes(tmp_path: Path) -> None:
    line = ensure_node_key(tmp_path / "node.key")

    assert (tmp_path / "node.key").read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert mode(tmp_path / "node.key") == 0o600
    assert line.startswith("ecdsa-sha2-nistp384 ")
    assert ensure_node_key(tmp_path / "node.key") == line


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish",
        key_pem(ec.generate_private_key(ec.SECP384R1())).encode(),
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        ),
    ],
)
def test_a_node_key_that_flower_would_refuse_is_reported_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "node.key"
    path.write_bytes(content)

    with pytest.raises(NodeKeyError, match=r"node.key cannot be used.*Remove the file"):
        ensure_node_key(path)
    assert path.read_bytes() == content


def test_a_node_makes_a_new_key_only_when_it_is_told_to_and_once_for_each_time(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    first = ensure_node_key(path)
    assert ensure_node_key(path) == first

    second = ensure_node_key(path, epoch=1)
    assert second != first
    assert ensure_node_key(path, epoch=1) == second
    assert ensure_node_key(path, epoch=0) == second, "a count that is taken back brings back no key"
    assert ensure_node_key(path, epoch=2) not in (first, second)
    assert {mode(each) for each in tmp_path.iterdir()} == {0o600}


def test_a_new_vm_that_was_told_before_it_was_there_makes_one_key(tmp_path: Path) -> None:
    first = ensure_node_key(tmp_path / "node.key", epoch=3)
    assert ensure_node_key(tmp_path / "node.key", epoch=3) == first


def test_a_count_for_another_node_changes_nothing_here(tmp_path: Path) -> None:
    values = supernode_values(CA)
    before = apply(planned(tmp_path, values), machine(tmp_path))
    remember(before, machine(tmp_path))

    other = apply(planned(tmp_path, {**values, "FL_NODE_KEY_EPOCHS": "supernode-77:5"}), machine(tmp_path))
    assert (other.public_key, other.changed_units) == (before.public_key, ())

    own = apply(planned(tmp_path, {**values, "FL_NODE_KEY_EPOCHS": "supernode-0:1"}), machine(tmp_path))
    assert own.public_key != before.public_key
    assert own.changed_units == ("flower-supernode.service",)


def test_applying_the_same_context_twice_writes_and_restarts_nothing(tmp_path: Path) -> None:
    for values in (superlink_values(CA), supernode_values(CA)):
        root = tmp_path / values["FL_ROLE"]
        first = apply(planned(root, values), machine(root))
        remember(first, machine(root))
        second = apply(planned(root, values), machine(root))

        assert first.changed_units
        assert (second.written, second.changed_units) == ((), ())
        assert second.public_key == first.public_key


def test_a_new_server_certificate_and_another_ca_reload_the_gateway_and_restart_nothing(tmp_path: Path) -> None:
    remember(apply(planned(tmp_path, superlink_values(CA)), machine(tmp_path)), machine(tmp_path))

    renewed = apply(planned(tmp_path, superlink_values(CA)), machine(tmp_path))

    assert renewed.written == (
        "/etc/flower/certs/server.key",
        "/etc/flower/certs/server.crt",
        "/var/lib/flower/metrics/certificates.prom",
    )
    assert (renewed.changed_units, renewed.reloading_units) == ((), ("flower-gateway.service",))

    remember(renewed, machine(tmp_path))
    switched = apply(planned(tmp_path, superlink_values(make_authority())), machine(tmp_path))
    assert "/etc/flower/certs/ca.crt" in switched.written
    assert (switched.changed_units, switched.reloading_units) == ((), ("flower-gateway.service",))


def test_another_ca_restarts_a_supernode_because_flower_reads_it_at_start_only(tmp_path: Path) -> None:
    remember(apply(planned(tmp_path, supernode_values(CA)), machine(tmp_path)), machine(tmp_path))

    switched = apply(planned(tmp_path, supernode_values(make_authority())), machine(tmp_path))

    assert (switched.changed_units, switched.reloading_units) == (("flower-supernode.service",), ())


def test_other_admin_networks_reload_the_gateway_only(tmp_path: Path) -> None:
    values = superlink_values(CA)
    remember(apply(planned(tmp_path, values), machine(tmp_path)), machine(tmp_path))

    changed = apply(planned(tmp_path, {**values, "FL_ADMIN_NETWORKS": "10.7.0.0/16"}), machine(tmp_path))

    assert changed.written == ("/etc/flower/gateway.json",)
    assert (changed.changed_units, changed.reloading_units) == ((), ("flower-gateway.service",))


def test_what_is_private_stays_private_on_disk(tmp_path: Path) -> None:
    context = read_context(superlink_values(CA), now=NOW)
    assert isinstance(context, SuperLinkContext)
    apply(plan(context, machine(tmp_path)), machine(tmp_path))

    assert mode(tmp_path / "etc/flower/certs/server.key") == 0o600
    assert mode(tmp_path / "etc/flower/certs/loopback.key") == 0o600
    assert mode(tmp_path / "etc/flower/flower.env") == 0o640
    assert mode(tmp_path / "var/lib/flower/superlink") == 0o700


def problems(root: Path, values: dict[str, str]) -> list[str]:
    wanted = planned(root, values)
    apply(wanted, machine(root))
    checks = [check for check in wanted.checks if type(check).__name__ in ("KeyCheck", "DataCheck")]
    verdicts = run_checks(checks, has_child=lambda unit, program: True)
    return [str(verdict.problem) for verdict in verdicts if verdict.problem is not None]


def test_data_that_is_there_and_readable_passes(tmp_path: Path) -> None:
    (tmp_path / "srv/data").mkdir(parents=True)
    (tmp_path / "srv/data/rows.csv").write_text("1")

    assert problems(tmp_path, supernode_values(CA)) == []


@pytest.mark.parametrize("absent", [True, False])
def test_absent_or_empty_data_is_a_problem_with_a_remedy(tmp_path: Path, absent: bool) -> None:
    if not absent:
        (tmp_path / "srv/data").mkdir(parents=True)
    (problem,) = problems(tmp_path, supernode_values(CA))

    assert "/srv/data" in problem
    assert ("cannot be listed" if absent else "is empty") in problem
    assert "FL_DATA_PATH" in problem


def test_a_node_key_that_others_can_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "srv/data").mkdir(parents=True)
    (tmp_path / "srv/data/rows.csv").write_text("1")
    apply(planned(tmp_path, supernode_values(CA)), machine(tmp_path))
    (tmp_path / "etc/flower/certs/node.key").chmod(0o644)

    (problem,) = problems(tmp_path, supernode_values(CA))

    assert "0644" in problem
    assert "chmod 600" in problem


def test_data_is_judged_by_what_the_service_user_may_read() -> None:
    # Not under tmp_path: its parents are closed to other users.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        private, public = folder / "private", folder / "public"
        for path, mode in ((private, 0o600), (public, 0o644)):
            path.touch()
            path.chmod(mode)

        assert readable_by(folder, "nobody")
        assert readable_by(public, "nobody")
        assert not readable_by(private, "nobody")
        folder.chmod(0o700)
        assert not readable_by(public, "nobody")


def test_the_public_key_is_all_that_is_told_of_a_key(tmp_path: Path) -> None:
    ensure_node_key(tmp_path / "node.key")
    private = (tmp_path / "node.key").read_text()

    assert public_key(tmp_path / "node.key") not in private
    assert len(public_key(tmp_path / "node.key").split()) == 2
