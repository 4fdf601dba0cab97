"""What a machine must look like for a CONTEXT."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flower_appliance.context import SuperLinkContext, SuperNodeContext, read_context
from flower_appliance.errors import ContextError, PlanError
from flower_appliance.gateway import gateway_config
from flower_appliance.machine import SERVER_KEY, Machine
from flower_appliance.partition import node_identity
from flower_appliance.plan import plan
from flower_appliance.planned import Plan, describe, systemd_files
from flower_appliance.unit import Unit, read_environment, render_systemd
from tests.appliance_support import NOW, b64, make_authority, superlink_values, supernode_values

CA = make_authority()
OWN = Machine(
    root=Path("/"),
    loopback="127.0.0.1",
    address="10.0.0.5",
    bin_dir=Path("/opt/flower/bin"),
    vm_name="supernode_2_(service_15)",
    service_user="flower",
)


def superlink(**changes: str) -> SuperLinkContext:
    context = read_context({**superlink_values(CA), **changes}, now=NOW)
    assert isinstance(context, SuperLinkContext)
    return context


def supernode(**changes: str) -> SuperNodeContext:
    context = read_context({**supernode_values(CA), **changes}, now=NOW)
    assert isinstance(context, SuperNodeContext)
    return context


def option(argv: tuple[str, ...], name: str) -> str:
    return argv[argv.index(name) + 1]


def file(planned: Plan, path: str) -> Any:
    return next(entry for entry in planned.files if entry.path == path)


def test_the_superlink_listens_on_loopback_only_with_tls_database_and_node_authentication() -> None:
    unit = plan(superlink(), OWN).units[0]

    assert option(unit.argv, "--host") == "127.0.0.1"
    assert option(unit.argv, "--port") == "9091"
    assert option(unit.argv, "--database") == "/var/lib/flower/superlink/state.db"
    assert "--enable-supernode-auth" in unit.argv
    assert "--disable-runtime-dependency-installation" in unit.argv
    assert "--insecure" not in unit.argv


def test_the_supernode_never_gives_up_and_installs_nothing() -> None:
    unit = plan(supernode(), OWN).units[0]

    assert "--max-retries" not in unit.argv
    assert "--max-wait-time" not in unit.argv
    assert "--allow-runtime-dependency-installation" not in unit.argv
    assert option(unit.argv, "--superlink") == "10.0.0.5:9092"
    assert option(unit.argv, "--host") == "127.0.0.1"


def test_the_node_configuration_tells_an_app_its_partition_and_its_data() -> None:
    unit = plan(supernode(), OWN).units[0]

    assert option(unit.argv, "--node-config") == (
        "partition-id=1002 num-partitions=3 data-path='/srv/data' zone='berlin' "
        "node='berlin/supernode-2' federation='hospitals'"
    )


def test_flower_finds_its_own_programs_and_tells_nobody_about_it() -> None:
    environment = read_environment(file(plan(supernode(), OWN), "/etc/flower/flower.env").content)

    assert environment["PATH"].split(":")[0] == "/opt/flower/bin"
    assert environment["FLWR_TELEMETRY_ENABLED"] == "0"
    assert environment["FLWR_DISABLE_UPDATE_CHECK"] == "1"


@pytest.mark.parametrize(("level", "passed_on"), [("DEBUG", "DEBUG"), ("INFO", "INFO"), ("ERROR", "INFO")])
def test_flower_logs_at_least_what_the_online_state_is_read_from(level: str, passed_on: str) -> None:
    environment = read_environment(file(plan(supernode(FL_LOG_LEVEL=level), OWN), "/etc/flower/flower.env").content)

    assert environment["FLWR_LOG_LEVEL"] == passed_on


def test_secrets_are_in_one_private_file_and_nowhere_else() -> None:
    planned = plan(superlink(), OWN)
    secret = [entry for entry in planned.files if "PRIVATE KEY" in entry.content]

    assert [(entry.path, entry.mode, entry.secret) for entry in secret] == [
        ("/etc/flower/certs/server.key", 0o600, True)
    ]
    assert "PRIVATE KEY" not in json.dumps(describe(planned))
    assert "PRIVATE KEY" not in repr(planned)
    assert "PRIVATE KEY" not in "".join(render_systemd(unit) for unit in planned.units)


def test_the_environment_file_is_not_for_everyone() -> None:
    assert file(plan(superlink(), OWN), "/etc/flower/flower.env").mode & 0o007 == 0


def test_a_server_certificate_without_the_names_that_are_dialled_is_refused() -> None:
    context = replace(superlink(), server_names=("superlink.example", "localhost"))

    with pytest.raises(PlanError) as caught:
        plan(context, OWN)

    assert "superlink.example" in str(caught.value)
    assert "it must also cover 10.0.0.5" in str(caught.value)
    assert "FederationPKI" in str(caught.value)


def test_in_a_process_vm_everything_lies_under_its_root_and_binds_its_address() -> None:
    machine = replace(OWN, root=Path("/vms/7/root"), loopback="127.9.9.2", address="127.9.9.2", service_user="")
    context = replace(superlink(), server_names=("localhost", "127.9.9.2"))
    planned = plan(context, machine)

    paths = [word for word in planned.units[0].argv[1:] if word.startswith("/")]
    assert paths
    assert all(path.startswith("/vms/7/root/") for path in paths)
    assert option(planned.units[0].argv, "--host") == "127.9.9.2"
    assert planned.attributes["FL_ENDPOINT"] == "127.9.9.2:9092"


def test_a_supernode_starts_only_after_its_checks_and_a_superlink_at_once() -> None:
    assert plan(supernode(), OWN).units_wait_for_checks
    assert not plan(superlink(), OWN).units_wait_for_checks


@pytest.mark.parametrize(
    ("vm_name", "fixed", "name", "partition"),
    [
        ("supernode_0_(service_15)", "", "berlin/supernode-0", 1000),
        ("supernode_12_(service_15)", "", "berlin/supernode-12", 1012),
        ("gpu_pool_3_(service_1)", "", "berlin/gpu_pool-3", 1003),
        ("supernode_2_(service_15)", "7", "berlin/supernode-2", 7),
        ("my node", "7", "berlin/my-node", 7),
        ("", "0", "berlin/node", 0),
    ],
)
def test_a_node_is_numbered_by_its_name_unless_the_context_says_otherwise(
    vm_name: str, fixed: str, name: str, partition: int
) -> None:
    identity = node_identity(supernode(FL_PARTITION_ID=fixed), vm_name)

    assert (identity.name, identity.partition_id) == (name, partition)


def test_a_node_without_a_number_is_refused_rather_than_given_one() -> None:
    with pytest.raises(PlanError, match=r"'worker'.*FL_PARTITION_ID"):
        plan(supernode(), replace(OWN, vm_name="worker"))


def test_a_partition_id_that_apps_cannot_read_is_refused() -> None:
    with pytest.raises(PlanError, match="at most 2147483647"):
        plan(supernode(FL_PARTITION_BASE="2147483647"), OWN)


def gateway(context: SuperLinkContext) -> Any:
    return json.loads(gateway_config(context, OWN, server_key=SERVER_KEY))


def fleet_pattern() -> re.Pattern[str]:
    routes = gateway(superlink())["apps"]["http"]["servers"]["fleet"]["routes"]
    return re.compile(routes[0]["match"][0]["vars_regexp"]["{http.request.uri}"]["pattern"])


@pytest.mark.parametrize("uri", ["/health", "/v1/fleet/activate-node", "/v1/fleet/push-object"])
def test_the_fleet_port_lets_the_calls_of_a_node_through(uri: str) -> None:
    assert fleet_pattern().search(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "/",
        "/v1/fleet/",
        "/v1/control/list-nodes",
        "/v1/runtime/acquire-task",
        "/docs",
        "/openapi.json",
        "/v1/fleet/../control/list-nodes",
        "/v1/fleet/%2e%2e/control/list-nodes",
        "/v1/fleet//push-object",
        "//v1/fleet/push-object",
        "/V1/fleet/push-object",
        "/v1/fleet/push-object/",
        "/v1/fleet/push-object;x",
        "/v1/fleet/push-object?x=/v1/control/",
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/health/../v1/control/list-nodes",
        "/healthz",
    ],
)
def test_the_fleet_port_lets_nothing_else_through(uri: str) -> None:
    assert not fleet_pattern().search(uri)


def test_without_admin_networks_the_control_port_refuses_everyone() -> None:
    routes = gateway(superlink(FL_ADMIN_NETWORKS=""))["apps"]["http"]["servers"]["control"]["routes"]

    assert [handler.get("status_code") for handler in routes[-1]["handle"]] == [None, 403]
    assert {handler["handler"] for route in routes for handler in route["handle"]} == {"log_append", "static_response"}


def test_the_control_port_takes_client_certificates_of_the_control_ca_only_and_answers_those_who_show_none() -> None:
    (policy,) = gateway(superlink())["apps"]["http"]["servers"]["control"]["tls_connection_policies"]

    assert policy["client_authentication"] == {
        "ca": {"provider": "file", "pem_files": ["/etc/flower/certs/control-ca.crt"]},
        "mode": "verify_if_given",
    }
    (fleet,) = gateway(superlink())["apps"]["http"]["servers"]["fleet"]["tls_connection_policies"]
    assert "client_authentication" not in fleet


def test_the_audit_reads_the_gateways_log_as_the_gateway_writes_it_and_is_no_more_than_the_service_user() -> None:
    planned = plan(superlink(), OWN)
    unit = next(each for each in planned.units if each.name == "flower-audit.service")
    log = gateway(superlink())["logging"]["logs"]["control"]

    assert option(unit.argv, "--gateway-log") == log["writer"]["filename"]
    assert log["include"] == ["http.log.access.control", "http.stdlib"]
    assert log["writer"]["roll_gzip"] is False
    assert (option(unit.argv, "--host"), option(unit.argv, "--port")) == ("127.0.0.1", "9095")
    assert unit.user == "flower"


def test_the_gateway_is_configured_through_its_own_folder_only_and_verifies_the_superlink() -> None:
    config = gateway(superlink())
    proxy = config["apps"]["http"]["servers"]["fleet"]["routes"][0]["handle"][0]

    assert config["admin"] == {"listen": "unix/admin.sock", "config": {"persist": False}}
    assert proxy["upstreams"] == [{"dial": "127.0.0.1:9091"}]
    assert proxy["transport"]["tls"]["server_name"] == "localhost"
    assert proxy["transport"]["tls"]["ca"]["pem_files"] == ["/etc/flower/certs/loopback-ca.crt"]
    assert "insecure_skip_verify" not in json.dumps(config)


def test_no_log_of_the_gateway_holds_headers() -> None:
    logs = gateway(superlink())["logging"]["logs"]

    assert {log["encoder"]["fields"]["request>headers"]["filter"] for log in logs.values()} == {"delete"}


def test_units_for_systemd_restart_always_and_are_confined() -> None:
    texts = {entry.path: entry.content for entry in systemd_files(plan(supernode(), OWN))}
    text = texts["/etc/systemd/system/flower-supernode.service"]

    assert "Restart=always" in text
    assert "StartLimitIntervalSec=0" in text
    assert "User=flower" in text
    assert "ProtectSystem=strict" in text
    assert "ReadOnlyPaths=-/srv/data" in text
    assert "EnvironmentFile=/etc/flower/flower.env" in text
    assert "\"partition-id=1002 num-partitions=3 data-path='/srv/data'" in text


def test_systemd_expands_nothing_in_a_unit() -> None:
    unit = Unit(
        name="x.service",
        description="x",
        argv=("/bin/x", "50% of $HOME", 'a "b" \\c'),
        environment={"A": "50% $B"},
        environment_file="/e",
        working_folder="/",
    )
    text = render_systemd(unit)

    assert r'ExecStart=/bin/x "50%% of $$HOME" "a \"b\" \\c"' in text
    assert 'Environment="A=50%% $B"' in text


def test_a_unit_differs_where_a_file_that_it_reads_differs() -> None:
    unit = plan(superlink(), OWN).units[0]

    same = unit.digest({"/etc/flower/certs/loopback.crt": "a", "/elsewhere": "x"})
    assert same == unit.digest({"/etc/flower/certs/loopback.crt": "a", "/elsewhere": "y"})
    assert same != unit.digest({"/etc/flower/certs/loopback.crt": "b"})
    assert same != replace(unit, argv=(*unit.argv, "--x")).digest({"/etc/flower/certs/loopback.crt": "a"})


def test_the_superlink_reads_nothing_of_the_federations_pki_and_the_gateway_all_of_it() -> None:
    link, gate = plan(superlink(), OWN).units[:2]

    pki = {f"/etc/flower/certs/{name}" for name in ("ca.crt", "server.crt", "server.key")}
    assert not pki & {*link.reads, *link.reloads}
    assert pki <= set(gate.reloads)
    assert gate.reads == ()
    assert not any(path in word for path in pki for word in link.argv)


def test_a_units_reload_runs_its_command_in_its_own_folder() -> None:
    gate = plan(superlink(), OWN).units[1]
    text = render_systemd(gate)

    assert gate.reload_argv[1:3] == ("reload", "--config")
    assert f"ExecReload={' '.join(gate.reload_argv)}\n" in text
    assert f"WorkingDirectory={gate.working_folder}\n" in text
    assert "ExecReload" not in render_systemd(plan(supernode(), OWN).units[0])


def test_a_superlink_tells_monitoring_when_each_of_its_certificates_ends() -> None:
    other = make_authority(days=400)
    ended = plan(
        superlink(FL_CA_CERT=b64(CA.pem + other.pem), FL_CA_FINGERPRINT=f"{CA.fingerprint} {other.fingerprint}"), OWN
    )
    told = file(ended, "/var/lib/flower/metrics/certificates.prom")
    samples = dict(re.findall(r'certificate="([\w-]+)",.*sha256="[0-9a-f]{64}"} (\d+)', told.content))
    names = [line.split("{")[0] for line in told.content.splitlines() if not line.startswith("#")]

    assert set(names) == {"flower_certificate_expiry_timestamp_seconds"}
    assert len(names) == 4, "server, two CAs of which one takes over, and the CA of clients"
    end = {kind: datetime.fromtimestamp(int(seconds), UTC) for kind, seconds in samples.items()}
    assert end["server"] == CA.certificate.not_valid_before_utc + timedelta(days=20)
    assert end["ca"] == other.certificate.not_valid_after_utc
    assert (told.mode, told.secret) == (0o644, False)
    assert "# TYPE flower_certificate_expiry_timestamp_seconds gauge" in told.content
    assert 'federation="hospitals",zone="berlin"' in told.content
    assert "PRIVATE" not in told.content
    (folder,) = (folder for folder in ended.folders if folder.path == "/var/lib/flower/metrics")
    assert folder.mode == 0o755, "an exporter of another user reads it"


def test_a_new_certificate_changes_what_monitoring_is_told_and_restarts_nothing() -> None:
    path = "/var/lib/flower/metrics/certificates.prom"
    certificate, key = CA.issue("localhost", "127.0.0.1", "10.0.0.5", days=25)
    before = plan(superlink(), OWN)
    renewed = plan(superlink(FL_SERVER_CERT=b64(certificate), FL_SERVER_KEY=b64(key)), OWN)

    assert file(renewed, path).content != file(before, path).content
    assert not any(path in (*unit.reads, *unit.reloads) for unit in renewed.units)


def trusting(*names: str) -> dict[str, str]:
    """CONTEXT of a SuperNode that demands a signature of one of these."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return {"FL_TRUSTED_ENTITIES": b64(json.dumps(dict.fromkeys(names, line)))}


def test_a_node_that_trusts_somebody_runs_what_they_signed_only_and_restarts_when_the_list_changes() -> None:
    demanding = plan(supernode(**trusting("board")), OWN)
    (unit,) = demanding.units

    assert option(unit.argv, "--trusted-entities") == "/etc/flower/trusted-entities.yaml"
    assert "/etc/flower/trusted-entities.yaml" in unit.reads
    assert list(json.loads(file(demanding, "/etc/flower/trusted-entities.yaml").content)) == ["board"]
    assert demanding.obsolete == ()


def test_a_node_without_a_list_runs_every_app_and_keeps_no_old_list() -> None:
    (unit,) = plan(supernode(), OWN).units
    assert "--trusted-entities" not in unit.argv
    assert plan(supernode(), OWN).obsolete == ("/etc/flower/trusted-entities.yaml",)


@pytest.mark.parametrize("document", ["{}", '{"board": "ssh-rsa AAAA"}', "no JSON"])
def test_a_list_that_demands_nothing_or_nonsense_is_refused(document: str) -> None:
    with pytest.raises(ContextError, match=r"FL_TRUSTED_ENTITIES is [\s\S]*ssh-ed25519[\s\S]*FL_TRUSTED_ENTITIES in"):
        supernode(FL_TRUSTED_ENTITIES=b64(document))


def test_the_superlink_asks_the_hub_that_it_is_told_of() -> None:
    def variables(**changes: str) -> dict[str, str]:
        return read_environment(file(plan(superlink(**changes), OWN), "/etc/flower/flower.env").content)

    assert variables(FL_APP_HUB="https://hub.example/v1")["FLWR_SUPERGRID_API_URL"] == "https://hub.example/v1"
    assert "FLWR_SUPERGRID_API_URL" not in variables()
