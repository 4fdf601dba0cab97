"""Decides what a machine must look like for its CONTEXT: folders, files, services, proofs, attributes. Changes nothing.

`plan(context, machine)` is a pure function, one branch a role. What it answers with is in `planned`; `apply` makes it
true and `readiness` runs the checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flower_appliance import machine as m
from flower_appliance.audit_events import EVENTS_LOG
from flower_appliance.checks import (
    AuditCheck,
    ChildCheck,
    CudaCheck,
    DataCheck,
    EnrolmentQuestion,
    HandshakeCheck,
    HealthCheck,
    KeyCheck,
)
from flower_appliance.context import Context, SuperLinkContext, SuperNodeContext
from flower_appliance.errors import PlanError, Problem
from flower_appliance.gateway import ADMIN_SOCKET, CONTROL_LOG, GATEWAY_STATE, LOOPBACK_NAME, gateway_config
from flower_appliance.machine import Machine
from flower_appliance.metrics import certificate_metrics
from flower_appliance.partition import node_identity
from flower_appliance.planned import File, Folder, Plan
from flower_appliance.provisions import data_provisions, requirement_provisions, state_mounts
from flower_appliance.serverkey import certificate_key_name, stale_keys
from flower_appliance.trusted import render_trusted
from flower_appliance.unit import Unit, render_environment
from flower_appliance.version import FLOWER_VERSION

SUPERLINK_UNIT = "flower-superlink.service"
SUPERNODE_UNIT = "flower-supernode.service"
GATEWAY_UNIT = "flower-gateway.service"
AUDIT_UNIT = "flower-audit.service"
SUPEREXEC = "flower-superexec"
GPU_DEVICES = ("char-nvidia*",)
"""Every character device of NVIDIA's driver: nvidia, nvidia-frontend, nvidia-uvm, nvidia-caps (/proc/devices)."""


def plan(
    context: SuperLinkContext | SuperNodeContext, machine: Machine, *, server_keys: Mapping[str, str] | None = None
) -> Plan:
    """What `machine` must look like for `context`.

    Args:
        context: What the machine is told.
        machine: What it is.
        server_keys: Server keys that it has made before, from `serverkey.held_keys`.

    Raises:
        PlanError: the context does not fit the machine.
    """
    if isinstance(context, SuperLinkContext):
        return _superlink(context, machine, server_keys or {})
    return _supernode(context, machine)


def _superlink(context: SuperLinkContext, machine: Machine, server_keys: Mapping[str, str]) -> Plan:
    _check_names(context, machine)
    served = _served_key(context, server_keys)
    home = m.SUPERLINK_STATE
    ca, local_ca = str(machine.path(m.CA_CERT)), str(machine.path(m.LOOPBACK_CA))
    cert, key = str(machine.path(m.LOOPBACK_CERT)), str(machine.path(m.LOOPBACK_KEY))
    superlink = Unit(
        name=SUPERLINK_UNIT,
        description="Flower SuperLink",
        argv=(
            str(machine.bin_dir / "flower-superlink"),
            *("--host", machine.loopback, "--port", str(m.SUPERLINK_PORT)),
            *("--ssl-certfile", cert, "--ssl-keyfile", key, "--ssl-ca-certfile", local_ca),
            *("--isolation", "subprocess"),
            *("--database", str(machine.path(f"{home}/state.db"))),
            "--enable-supernode-auth",
            "--disable-runtime-dependency-installation",
        ),
        environment={"FLWR_HOME": str(machine.path(home)), **_packages(context, machine)},
        environment_file=str(machine.path(m.FLOWER_ENV)),
        reads=(m.LOOPBACK_CERT, m.FLOWER_ENV),
        writes=(str(machine.path(home)),),
        working_folder=str(machine.path(home)),
        user=machine.service_user,
        child=SUPEREXEC,
    )
    gateway_home, config = str(machine.path(GATEWAY_STATE)), str(machine.path(m.GATEWAY_CONFIG))
    gateway = Unit(
        name=GATEWAY_UNIT,
        description="Gateway in front of the Flower SuperLink",
        argv=(str(machine.bin_dir / "caddy"), "run", "--config", config),
        environment={"XDG_DATA_HOME": gateway_home, "XDG_CONFIG_HOME": gateway_home},
        environment_file=str(machine.path(m.FLOWER_ENV)),
        # Without --force, certificate files that changed under an unchanged configuration would not be read again.
        # Requests under way end on the old configuration (Caddy 2.11.7, observed 2026-11-24: 40 ms, nothing broken).
        reload_argv=(
            *(str(machine.bin_dir / "caddy"), "reload", "--config", config),
            *("--address", ADMIN_SOCKET, "--force"),
        ),
        reloads=(m.CA_CERT, m.CONTROL_CA, m.SERVER_CERT, served, m.LOOPBACK_CERT, m.GATEWAY_CONFIG),
        writes=(gateway_home, str(machine.path(m.LOGS))),
        working_folder=gateway_home,
        user=machine.service_user,
        after=(SUPERLINK_UNIT,),
        stop_timeout_s=5.0,
    )
    files = (
        *_common_files(context, machine, _app_settings(context)),
        File(path=m.CONTROL_CA, content=context.control_ca_pem, mode=0o644),
    )
    if context.server_key_pem:
        files += (File(path=m.SERVER_KEY, content=context.server_key_pem, mode=0o600, secret=True),)
    if served:
        files += (
            File(path=m.SERVER_CERT, content=context.server_cert_pem, mode=0o644),
            File(path=m.GATEWAY_CONFIG, content=gateway_config(context, machine, server_key=served), mode=0o640),
            File(path=m.CERTIFICATE_METRICS, content=certificate_metrics(context), mode=0o644),
        )
    wanted = context.own_key.key_path if context.own_key is not None else ""
    audit = _audit(context, machine)
    return Plan(
        role="superlink",
        folders=(*_folders(home, GATEWAY_STATE, m.AUDIT_STATE), Folder(path=m.METRICS, mode=0o755)),
        files=files,
        units=(superlink, gateway, audit) if served else (superlink, audit),
        checks=(
            # What the SuperExec child dials and how: its own death shows only after seconds.
            HandshakeCheck(host=machine.loopback, port=m.SUPERLINK_PORT, ca=local_ca, subject="the SuperLink"),
            *((HealthCheck(host=machine.address, port=m.FLEET_PORT, ca=ca),) if served else ()),
            ChildCheck(unit=SUPERLINK_UNIT, program=SUPEREXEC),
            AuditCheck(host=machine.loopback, port=m.AUDIT_PORT),
        ),
        provisions=requirement_provisions(context.requirements, user=machine.service_user),
        units_wait_for_checks=False,
        server_key=context.own_key,
        awaits_certificate=not served,
        obsolete=(
            # None while nothing is served: the certificate of an older one may only be missing for a moment.
            *(stale_keys(server_keys, used=(served, wanted)) if served else ()),
            # A key that was given goes when none is given any more.
            *((m.SERVER_KEY,) if not context.server_key_pem else ()),
            # Of a key that this machine no longer has: the audit must not take its successor for a rotation.
            *((m.SERVER_CERT,) if not served else ()),
        ),
        loopback_hosts=tuple(dict.fromkeys((LOOPBACK_NAME, "127.0.0.1", machine.loopback))),
        state=state_mounts(context.state_volume),
        revision=context.revision,
        attributes={"FL_VERSION": FLOWER_VERSION, "FL_ENDPOINT": m.endpoint(machine.address, m.FLEET_PORT)},
        user=machine.service_user,
    )


def _app_settings(context: SuperLinkContext) -> dict[str, str]:
    """Variables for flower-superlink and the apps that it starts."""
    return {
        **({"FL_NUM_CLIENTS": str(context.num_clients)} if context.num_clients else {}),
        # Where flwr 1.41.0 asks for apps that are named by `@account/app`.
        **({"FLWR_SUPERGRID_API_URL": context.app_hub} if context.app_hub else {}),
    }


def _served_key(context: SuperLinkContext, server_keys: Mapping[str, str]) -> str:
    """Guest path of the key that the certificate belongs to; empty where this machine has it not, or has none yet."""
    if context.server_key_pem:
        return m.SERVER_KEY
    return server_keys.get(certificate_key_name(context.server_cert_pem), "")


def _audit(context: SuperLinkContext, machine: Machine) -> Unit:
    return Unit(
        name=AUDIT_UNIT,
        description="Audit of the Flower SuperLink's Control API",
        argv=(
            *(str(machine.bin_dir / "python"), "-m", "flower_appliance.audit_run"),
            *("--chain", str(machine.path(m.AUDIT_CHAIN)), "--head", str(machine.path(m.AUDIT_HEAD))),
            *("--gateway-log", str(machine.path(CONTROL_LOG)), "--events-log", str(machine.path(EVENTS_LOG))),
            *("--host", machine.loopback, "--port", str(m.AUDIT_PORT), "--federation", context.federation),
        ),
        environment={"PYTHONPATH": _source(), "PYTHONDONTWRITEBYTECODE": "1"},
        environment_file=str(machine.path(m.FLOWER_ENV)),
        writes=(str(machine.path(m.AUDIT_STATE)), str(machine.path(m.LOGS))),
        working_folder=str(machine.path(m.AUDIT_STATE)),
        user=machine.service_user,
        memory_mb=256,
        # Ended after the gateway, whose last lines it then still takes.
        stop_timeout_s=7.0,
    )


def _supernode(context: SuperNodeContext, machine: Machine) -> Plan:
    identity = node_identity(context, machine.vm_name)
    home = f"{m.STATE}/supernode"
    ca, key = str(machine.path(m.CA_CERT)), str(machine.path(m.NODE_KEY))
    data = str(machine.path(context.data.path))
    trusted = context.trusted_entities
    node_config: dict[str, str | int] = {
        "partition-id": identity.partition_id,
        "num-partitions": context.num_partitions,
        "data-path": data,
        "zone": context.zone,
        "node": identity.name,
        "federation": context.federation,
    }
    supernode = Unit(
        name=SUPERNODE_UNIT,
        description="Flower SuperNode",
        argv=(
            str(machine.bin_dir / "flower-supernode"),
            *("--superlink", m.endpoint(context.superlink_host, context.superlink_port)),
            *("--root-certificates", ca),
            *("--auth-supernode-private-key", key),
            *("--node-config", render_node_config(node_config)),
            *("--isolation", "subprocess"),
            *("--host", machine.loopback, "--port", str(m.SUPERNODE_RUNTIME_PORT)),
            *(("--trusted-entities", str(machine.path(m.TRUSTED_ENTITIES))) if trusted else ()),
        ),
        environment={"FLWR_HOME": str(machine.path(home)), **_packages(context, machine)},
        environment_file=str(machine.path(m.FLOWER_ENV)),
        reads=(m.CA_CERT, m.NODE_KEY, m.FLOWER_ENV, *((m.TRUSTED_ENTITIES,) if trusted else ())),
        writes=(str(machine.path(home)),),
        reads_only=(data,),
        devices=GPU_DEVICES if context.gpu else (),
        working_folder=str(machine.path(home)),
        user=machine.service_user,
        child=SUPEREXEC,
    )
    return Plan(
        role="supernode",
        folders=_folders(home),
        files=(
            *_common_files(context, machine, {}),
            *((File(path=m.TRUSTED_ENTITIES, content=render_trusted(trusted), mode=0o644),) if trusted else ()),
        ),
        obsolete=() if trusted else (m.TRUSTED_ENTITIES,),
        units=(supernode,),
        node_key=m.NODE_KEY,
        node_key_epoch=context.key_epochs.get(identity.name.rpartition("/")[2], 0),
        checks=(
            *_cuda(context, machine),
            KeyCheck(path=key),
            DataCheck(path=data, user=machine.service_user),
            HandshakeCheck(host=context.superlink_host, port=context.superlink_port, ca=ca, subject="the SuperLink"),
        ),
        provisions=(
            *requirement_provisions(context.requirements, user=machine.service_user),
            *data_provisions(context.data, user=machine.service_user),
        ),
        units_wait_for_checks=True,
        enrolment=EnrolmentQuestion(host=context.superlink_host, port=context.superlink_port, ca=ca, key=key),
        state=state_mounts(context.state_volume),
        revision=context.revision,
        attributes={"FL_VERSION": FLOWER_VERSION},
        user=machine.service_user,
    )


def _cuda(context: Context, machine: Machine) -> tuple[CudaCheck, ...]:
    if not context.gpu:
        return ()
    argv = (str(machine.bin_dir / "python"), "-m", "flower_appliance.cuda_probe")
    return (CudaCheck(argv=argv, source=_source(), user=machine.service_user, devices=GPU_DEVICES),)


def _source() -> str:
    """Where this very code was imported from: a process VM has it outside of the environment."""
    return str(Path(__file__).resolve().parent.parent)


def _packages(context: Context, machine: Machine) -> dict[str, str]:
    """Where services find the zone's own packages; nothing of the image has the same name (`install`)."""
    wanted = context.requirements
    return {} if wanted is None else {"PYTHONPATH": str(machine.path(wanted.folder))}


def render_node_config(values: Mapping[str, str | int]) -> str:
    """Flower's `--node-config`: `key=value` words, text in quotes.

    Flower (1.41.0) splits this with a pattern that knows no escapes and reads the parts as TOML, so a text may hold one
    kind of quote only.

    Raises:
        ValueError: a text cannot be written in this form.
    """
    return " ".join(f"{key}={_node_config_value(value)}" for key, value in values.items())


def _node_config_value(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise ValueError("a node configuration cannot hold control characters")
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value and "\\" not in value:
        return f'"{value}"'
    raise ValueError("a node configuration cannot hold both kinds of quotes, or a backslash beside a single quote")


def _check_names(context: SuperLinkContext, machine: Machine) -> None:
    if not context.server_cert_pem:
        named = context.own_key.names if context.own_key is not None else ()
        if machine.address not in named:
            raise PlanError(
                [
                    Problem(
                        given=f"FL_SERVER_NAMES names {', '.join(named) or 'nothing'}",
                        rule=f"it must also name {machine.address}",
                        reason="clients dial the machine's address, and so does the proof that the gateway answers",
                        remedy="Name this address under superlink.address in the central stack's file",
                    )
                ]
            )
    elif machine.address not in context.server_names:
        raise PlanError(
            [
                Problem(
                    given=f"FL_SERVER_CERT covers {', '.join(context.server_names) or 'no name at all'}",
                    rule=f"it must also cover {machine.address}",
                    reason="clients dial the machine's address, and so does the proof that the gateway answers",
                    remedy="Issue the server certificate with this address (FederationPKI does) in the central stack",
                )
            ]
        )


def _folders(*homes: str) -> tuple[Folder, ...]:
    shared = (("/etc/flower", 0o755), (m.CERTS, 0o755), (m.STATE, 0o755), (m.LOGS, 0o750))
    return (
        *(Folder(path=path, mode=mode) for path, mode in shared),
        *(Folder(path=path, mode=0o700) for path in homes),
    )


def _common_files(context: Context, machine: Machine, extra: Mapping[str, str]) -> tuple[File, ...]:
    environment = {
        "PATH": f"{machine.bin_dir}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(machine.path(m.STATE)),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        # Never above INFO: whether a SuperNode is online is read from lines of that level. The log's level is applied
        # when lines are written.
        "FLWR_LOG_LEVEL": "DEBUG" if context.log_level == "DEBUG" else "INFO",
        "FL_FEDERATION": context.federation,
        "FL_ZONE": context.zone,
        **extra,
    }
    files = [
        File(path=m.CA_CERT, content=context.ca_pem, mode=0o644),
        File(path=m.FLOWER_ENV, content=render_environment(environment), mode=0o640),
    ]
    if context.onegate_ca_pem:
        files.append(File(path=m.ONEGATE_CA, content=context.onegate_ca_pem, mode=0o644))
    return tuple(files)
