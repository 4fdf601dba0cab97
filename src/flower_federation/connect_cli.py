"""`federation connect`: opens the way to the Control API for Flower's own CLI, and closes it again. It starts no run.

What it writes is for the CLI alone: a config.toml and the certificate of its own loopback port, in a folder that
FLWR_HOME names. Both are taken away when it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import http.client
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flower_appliance.roles import CONNECT
from flower_federation import operations_cli
from flower_federation.control_certificate import CertificateFacts, ControlCertificate, check_lifetime, read_folder
from flower_federation.environment import Layout
from flower_federation.errors import InputError, ToolError
from flower_federation.heartbeat import under_way
from flower_federation.runs_cli import MARK, write_flwr_home
from flower_federation.setup import project_folder
from flower_federation.tunnel import Opened, Tunnel
from pulumi_flower.transport import Endpoint, read_error_body, tls_context

ASK_TIMEOUT_S = 10.0
LAST_PORT = 65_535
CONFIG, AUTHORITY = "config.toml", "ca.crt"
"""What `write_flwr_home` writes."""
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `connect`."""
    connect = subparsers.add_parser(
        "connect",
        help="open the way to the Control API for Flower's own CLI",
        description="Listens on loopback, shows your certificate to the gateway, and tells how to use flwr. Only "
        "processes of your own user are let in. Ctrl-C ends it.",
    )
    connect.add_argument(
        "--certificate",
        type=Path,
        metavar="DIRECTORY",
        help="what `federation certificate export` wrote; by default the centre's own operator certificate",
    )
    connect.add_argument("--endpoint", metavar="HOST:PORT", help="the gateway, where it is not the one in the folder")
    connect.add_argument("--port", type=int, default=0, help="loopback port; a free one by default")
    connect.add_argument("--home", type=Path, metavar="DIRECTORY", help="folder for FLWR_HOME")
    connect.add_argument("--json", action="store_true", help="print what is open as one line of JSON")
    connect.set_defaults(handler=_connect)


def _connect(arguments: argparse.Namespace) -> int:
    check_port(arguments.port)
    place = operations_cli.workplace() if arguments.certificate is None else None
    with under_way("reading the centre's stack", operations_cli.say):
        certificate = read_folder(arguments.certificate) if place is None else place.operator_certificate()
    if arguments.endpoint:
        certificate = replace(certificate, endpoint=arguments.endpoint)
    facts = certificate.facts
    check_lifetime(facts, now=_now())
    with under_way(f"asking the gateway at {certificate.endpoint}", operations_cli.say):
        answer = ask_gateway(certificate)
    layout = Layout(project=project_folder()) if place is None else place.layout
    # An activated clone's FLWR_HOME is the operator's, so that flwr needs nothing else.
    home = arguments.home or (default_home(layout, facts) if place is None else layout.flwr_home)
    with held(home.absolute()) as folder:
        if arguments.home is not None:
            check_home(folder)
        asyncio.run(_stay(certificate, answer, home=folder, port=arguments.port, as_json=arguments.json))
    return 0


def check_port(port: int) -> None:
    """See that a loopback port is one.

    Raises:
        InputError: It is not.
    """
    if not 0 <= port <= LAST_PORT:
        raise InputError(
            given=f"--port {port}",
            rule=f"a port is a number from 1 to {LAST_PORT}, or 0 for a free one",
            reason="flwr connects to it",
            remedy="choose another, or leave --port out",
        )


def check_home(home: Path) -> None:
    """See that a folder that the caller named holds no configuration of his own: it would be replaced and removed.

    What a killed `federation connect` left there is none.

    Raises:
        InputError: It does.
    """
    config = home / CONFIG
    ours = config.is_file() and config.read_text(encoding="utf-8", errors="replace").startswith(MARK)
    found = [name for name in (CONFIG, AUTHORITY) if (home / name).exists()]
    if found and not ours:
        raise InputError(
            given=f"--home {home}: has {' and '.join(found)} already",
            rule="a folder for FLWR_HOME is empty, or was made by federation connect",
            reason="these files are written there, and removed when it ends",
            remedy="name another folder, or leave --home out",
        )


@contextlib.contextmanager
def held(home: Path) -> Iterator[Path]:
    """The folder for FLWR_HOME, this process's for as long as the block lasts.

    The kernel lets go of it when the process ends, however it ends.

    Raises:
        InputError: It cannot be made, or another `federation connect` uses it.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InputError(
            given=f"{home}: {error.strerror or error}",
            rule="the folder for FLWR_HOME can be made",
            reason="flwr reads there which port to use",
            remedy="name another with --home",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                given=f"{home}: another federation connect uses it",
                rule="each has a folder of its own",
                reason="flwr would be led to whichever wrote there last, and to none once one of the two ends",
                remedy="use the one that is open, end it with Ctrl-C, or name another folder with --home",
            ) from error
        yield home
    finally:
        os.close(descriptor)


def default_home(layout: Layout, facts: CertificateFacts) -> Path:
    """A folder of its own for each holder of a certificate."""
    return layout.state / "connect" / _UNSAFE.sub("-", f"{facts.role}-{facts.name}").strip("-")


def ask_gateway(certificate: ControlCertificate) -> Mapping[str, Any]:
    """What the gateway says of a certificate: its role. Leaves a line in the audit.

    Raises:
        ToolError: it cannot be reached, or does not take the certificate.
    """
    endpoint = Endpoint.parse(certificate.endpoint)
    context = tls_context(certificate.ca_certificate, identity=certificate.identity)
    connection = http.client.HTTPSConnection(endpoint.host, endpoint.port, timeout=ASK_TIMEOUT_S, context=context)
    try:
        connection.request("GET", CONNECT)
        answer = connection.getresponse()
        body = answer.read(65_536)
        if answer.status == http.client.OK:
            return dict(json.loads(body))
        said = read_error_body(body)[1] or f"HTTP {answer.status}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        said = str(error) or type(error).__name__
    finally:
        connection.close()
    raise ToolError(
        given=f"the gateway at {endpoint}: {said}",
        rule="it takes the certificate",
        reason="nothing reaches the Control API otherwise",
        remedy="see that the SuperLink is READY, that this machine is in adminNetworks, and that the certificate is "
        "the latest that the centre issued (pulumi up, federation certificate export)",
    )


async def _stay(
    certificate: ControlCertificate, answer: Mapping[str, Any], *, home: Path, port: int, as_json: bool
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    tunnel = Tunnel(certificate, now=_now)
    try:
        try:
            opened = await tunnel.open(port)
        except OSError as error:
            raise InputError(
                given=f"port {port} of 127.0.0.1: {error.strerror or error}",
                rule="it is free",
                reason="flwr connects to it",
                remedy="choose another with --port, or leave it out",
            ) from error
        write_flwr_home(home, endpoint=opened.endpoint, ca_certificate=opened.ca_certificate)
        _announce(opened, certificate.facts, answer, home=home, as_json=as_json)
        await stopped.wait()
    finally:
        await tunnel.close()
        for name in (CONFIG, AUTHORITY):
            with contextlib.suppress(FileNotFoundError):
                (home / name).unlink()
    print("connect: closed", file=sys.stderr)


def _announce(opened: Opened, facts: CertificateFacts, answer: Mapping[str, Any], *, home: Path, as_json: bool) -> None:
    if as_json:
        told = {
            "endpoint": opened.endpoint,
            "flwr_home": str(home),
            "name": facts.name,
            "role": answer.get("role"),
            "federation": facts.federation,
            "not_after": facts.not_after.isoformat(),
        }
        print(json.dumps(told), flush=True)
        return
    print(
        f"connected as {facts.name}, {answer.get('role')} ({answer.get('meaning')})\n"
        f"certificate until {facts.not_after:%Y-%m-%d %H:%M} UTC; loopback port {opened.endpoint}\n\n"
        f"in another terminal:\n  export FLWR_HOME={home}\n  flwr ls\n\nCtrl-C closes it.",
        flush=True,
    )


def _now() -> datetime:
    return datetime.now(UTC)
