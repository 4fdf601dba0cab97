"""Runs a plan's checks: each proves one thing for real, or says why it is not so. It heals and publishes nothing."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import socket
import ssl
import stat
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flower_appliance.checks import (
    AuditCheck,
    Check,
    ChildCheck,
    CudaCheck,
    DataCheck,
    HandshakeCheck,
    HealthCheck,
    KeyCheck,
)
from flower_appliance.control_routes import QUESTION
from flower_appliance.errors import NodeKeyError, Problem
from flower_appliance.nodekey import public_key, unusable
from flower_appliance.supervisor import Finished, Program

TIMEOUT_S = 5.0
CUDA_TIMEOUT_S = 60.0
"""A driver that loads its firmware takes seconds."""
_NO_DATA = {"lost+found"}
"""What a file system has of its own, for root alone."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check found: `problem` is None where it passed."""

    check: Check
    problem: Problem | None


Run = Callable[[Program], Finished]
"""Runs a program to its end; raises OSError or subprocess.SubprocessError."""


def run_nothing(program: Program) -> Finished:
    """For plans without a check that needs a program.

    Raises:
        OSError: always.
    """
    raise OSError(f"nothing here can run {program.argv[-1]}")


def run_checks(
    checks: Sequence[Check],
    *,
    has_child: Callable[[str, str], bool],
    run: Run = run_nothing,
    timeout_s: float = TIMEOUT_S,
) -> list[Verdict]:
    """Run every check, one after the other; blocking.

    Args:
        has_child: whether a unit (first argument) has a living process that runs a program (second).
        run: runs a program to its end.
    """
    return [Verdict(check=check, problem=_run(check, has_child, run, timeout_s)) for check in checks]


def _run(check: Check, has_child: Callable[[str, str], bool], run: Run, timeout_s: float) -> Problem | None:
    problem: Problem | None = None
    match check:
        case CudaCheck():
            problem = _cuda(check, run)
        case KeyCheck():
            problem = _key(check)
        case DataCheck():
            problem = _data(check)
        case HandshakeCheck():
            problem = _handshake(check, timeout_s)
        case HealthCheck():
            problem = _health(check, timeout_s)
        case AuditCheck():
            problem = _audit(check, timeout_s)
        case ChildCheck():
            problem = None if has_child(check.unit, check.program) else _no_child(check)
    return problem


def _cuda(check: CudaCheck, run: Run) -> Problem | None:
    program = Program(
        argv=check.argv,
        environment={"PYTHONPATH": check.source, "PATH": "/usr/bin:/bin"},
        folder="/",
        timeout_s=CUDA_TIMEOUT_S,
        user=check.user,
        devices=check.devices,
    )
    try:
        finished = run(program)
        found = json.loads(finished.output)
        detail = "" if found["cards"] else str(found["problem"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        detail = f"the driver could not be asked: {error}"
    if not detail:
        return None
    return Problem(
        given=f"no GPU can be used ({detail})",
        rule="CUDA must work for the service user, since FL_GPU is YES",
        reason="a node that was given a card and trains without it takes hours where minutes are expected",
        remedy="Use the gpu image with NVIDIA's driver for this card, pass a card through (supernode.gpu), or remove "
        "FL_GPU; this check is repeated",
    )


def _key(check: KeyCheck) -> Problem | None:
    path = Path(check.path)
    try:
        public_key(path)
        mode = stat.S_IMODE(path.stat().st_mode)
    except NodeKeyError as error:
        return error.problem
    except OSError as error:
        return unusable(path, error.strerror or str(error))
    if mode & 0o077:
        return Problem(
            given=f"{path.name} has mode {mode:04o}",
            rule="it must be 0600",
            reason="who can read the key can be this node",
            remedy=f"Run chmod 600 {check.path}, and enrol a new key if others had access",
        )
    return None


def _data(check: DataCheck) -> Problem | None:
    path = Path(check.path)
    remedy = "Mount the zone's data there, readable by the service user, or correct FL_DATA_PATH in the pool's stack"
    reason = "a node without readable data would join every round and train on nothing"
    given = f"the data path {check.path}"
    try:
        entries = sorted(entry for entry in path.iterdir() if entry.name not in _NO_DATA)
    except OSError as error:
        shown = f"{given} cannot be listed ({error.strerror})"
        return Problem(given=shown, rule="it must be a folder with the zone's data", reason=reason, remedy=remedy)
    if not entries:
        return Problem(given=f"{given} is empty", rule="it must hold data", reason=reason, remedy=remedy)
    for entry in (path, *entries):
        if not readable_by(entry, check.user):
            user = check.user or "the service user"
            shown = f"{entry} is not readable by {user}"
            return Problem(given=shown, rule="all of the data must be", reason=reason, remedy=remedy)
    return None


def readable_by(path: Path, user: str) -> bool:
    """Whether `user` (empty: the current one) may read a file, or list and enter a folder, by its mode bits.

    Its parent folders are looked at, too; access control lists are not. A link that leads nowhere, or in a circle, and
    a file that has gone meanwhile, is not readable.
    """
    if not user:
        return os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0))
    entry = pwd.getpwnam(user)
    groups = set(os.getgrouplist(user, entry.pw_gid))
    try:
        real = path.resolve(strict=True)
        if not all(_allows(parent, entry.pw_uid, groups, 0o1) for parent in real.parents):
            return False
        return _allows(real, entry.pw_uid, groups, 0o5 if real.is_dir() else 0o4)
    except (OSError, RuntimeError):  # RuntimeError: a circle, before Python 3.13
        return False


def _allows(path: Path, uid: int, groups: set[int], wanted: int) -> bool:
    facts = path.stat()
    shift = 6 if facts.st_uid == uid else 3 if facts.st_gid in groups else 0
    return (facts.st_mode >> shift) & wanted == wanted


def _handshake(check: HandshakeCheck, timeout_s: float) -> Problem | None:
    try:
        context = ssl.create_default_context(cafile=check.ca)
    except OSError as error:
        return _no_authority(check.ca, error)
    try:
        with (
            socket.create_connection((check.host, check.port), timeout=timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=check.host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return Problem(
            given=f"{check.subject} at {check.host}:{check.port} shows a certificate that does not verify "
            f"({error.verify_message})",
            rule="it must be signed by the federation CA and name this address",
            reason="another server, or another federation, may be answering there; this machine sends it nothing",
            remedy="Compare FL_CA_FINGERPRINT and FL_SUPERLINK_ADDRESS with the central stack's outputs ca_fingerprint "
            "and superlink_fleet_endpoint; this check is repeated every few seconds",
        )
    except OSError as error:
        return Problem(
            given=f"{check.subject} at {check.host}:{check.port} does not answer ({error.strerror or error})",
            rule="a TLS connection to it must succeed",
            reason="without it no work reaches this machine",
            remedy="Start it, or allow outbound TCP to this address in the zone's security group; this check is "
            "repeated every few seconds",
        )


def _health(check: HealthCheck, timeout_s: float) -> Problem | None:
    try:
        context = ssl.create_default_context(cafile=check.ca)
    except OSError as error:
        return _no_authority(check.ca, error)
    connection = http.client.HTTPSConnection(check.host, check.port, timeout=timeout_s, context=context)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
        detail = f"answers {status}"
    except (OSError, http.client.HTTPException) as error:
        status, detail = 0, f"does not answer ({error})"
    finally:
        connection.close()
    if status == http.client.OK:
        return None
    return Problem(
        given=f"/health of the SuperLink through its gateway at {check.host}:{check.port} {detail}",
        rule="it must answer 200",
        reason="SuperNodes reach the SuperLink in no other way",
        remedy="Read flower-superlink.log and flower-gateway.log in /var/log/flower; this check is repeated",
    )


def _no_authority(path: str, error: OSError) -> Problem:
    return Problem(
        given=f"the CA certificate {path} cannot be read ({error.strerror or error})",
        rule="it must be there, as this machine wrote it",
        reason="without it no server can be verified",
        remedy="Look whether the disk with it is still attached and sound, and restart the VM, which writes it anew",
    )


def _audit(check: AuditCheck, timeout_s: float) -> Problem | None:
    connection = http.client.HTTPConnection(check.host, check.port, timeout=timeout_s)
    try:
        connection.request("GET", QUESTION)
        status = connection.getresponse().status
        detail = f"answers {status} to a question that names nobody"
    except (OSError, http.client.HTTPException) as error:
        status, detail = 0, f"does not answer ({error})"
    finally:
        connection.close()
    if status == http.client.FORBIDDEN:
        return None
    return Problem(
        given=f"the audit at {check.host}:{check.port} {detail}",
        rule="it must answer 403",
        reason="without it nobody's calls are written down, and no researcher can stop a run",
        remedy="Read flower-audit.log in /var/log/flower, and look at the room on its disk; it is restarted by itself",
    )


def _no_child(check: ChildCheck) -> Problem:
    return Problem(
        given=f"{check.unit} has no living {check.program}",
        rule="it must have one",
        reason="without it runs are accepted and never executed",
        remedy="Read its log in /var/log/flower; it is restarted where this lasts",
    )
