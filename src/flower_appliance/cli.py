"""`python -m flower_appliance`: boot a VM, show a plan, write the process image. No logic of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import flower_appliance
from flower_appliance.appliance import Appliance
from flower_appliance.context import SuperLinkContext, read_context
from flower_appliance.errors import ApplianceError, ContextError
from flower_appliance.fields import Fields
from flower_appliance.files import write_file
from flower_appliance.guest import Guest, onegate_access
from flower_appliance.image import render_process_image
from flower_appliance.logfile import RotatingLog
from flower_appliance.machine import LOGS, ONEGATE_CA, Machine
from flower_appliance.machine_guest import MachineGuest, runs_systemd
from flower_appliance.onegate import OneGate
from flower_appliance.plan import plan
from flower_appliance.planned import describe, systemd_files
from flower_appliance.redaction import RedactingFilter, Redactor
from flower_appliance.serverkey import held_keys
from flower_appliance.services import Host, Services
from flower_appliance.shellvars import read_assignments
from flower_appliance.supervisor import Listener
from flower_appliance.systemd import Systemd

LOG = logging.getLogger("flower_appliance")
SECRET_VARIABLES = ("FL_SERVER_KEY",)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except ApplianceError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flower_appliance", description=flower_appliance.__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    boot = commands.add_parser(
        "boot",
        help="configure and watch this machine: the init of a process VM (VM_ID, VM_ROOT, VM_CONTEXT, VM_ADDRESS), or "
        "beside systemd on a machine of its own",
    )
    boot.set_defaults(run=_boot)
    shown = commands.add_parser("plan", help="show what a CONTEXT would make of a machine, and change nothing")
    shown.add_argument("--context", type=Path, required=True, metavar="FILE", help="a context.sh")
    shown.add_argument("--root", type=Path, default=Path("/"), help="folder that stands for the guest's root")
    shown.add_argument("--address", default="", help="the machine's address; default: ETH0_IP of the CONTEXT")
    shown.add_argument("--loopback", default="127.0.0.1", help="where local services bind")
    shown.add_argument("--vm-name", default="", help="the VM's name in OpenNebula, such as supernode_2_(service_15)")
    shown.add_argument("--service-user", default="", help="user that services run as")
    shown.add_argument("--bin", type=Path, default=Path(sys.executable).parent, help="bin folder of the environment")
    shown.add_argument("--json", action="store_true", help="as JSON; otherwise the unit files for systemd")
    shown.set_defaults(run=_plan)
    checked = commands.add_parser("check", help="read this machine's CONTEXT and say what it asks for; change nothing")
    checked.add_argument("--root", type=Path, default=Path("/"), help="folder that stands for the guest's root")
    checked.set_defaults(run=_check)
    image = commands.add_parser("image", help="write an image")
    kinds = image.add_subparsers(required=True, metavar="KIND")
    process = kinds.add_parser("process", help="JSON document for a zone's process driver")
    process.add_argument("--output", type=Path, required=True, metavar="FILE")
    process.add_argument("--bin", type=Path, default=Path(sys.executable).parent, help="bin folder of the environment")
    process.set_defaults(run=_image_process)
    return parser


def _boot(_: argparse.Namespace) -> int:
    guest: Host = MachineGuest.find() if runs_systemd() else Guest.from_environment(os.environ)
    try:
        values: Mapping[str, str] = guest.context_values()
    except (ContextError, OSError):
        values = {}  # the appliance reads it again and reports what is wrong with it
    token = guest.token()
    secrets = tuple(filter(None, (token, *(values.get(name, "") for name in SECRET_VARIABLES))))
    _log_to(guest.machine("").path(LOGS), Redactor(secrets))
    access = onegate_access(values, token, ca_file=_onegate_ca(guest, values))
    onegate = OneGate(access) if access is not None else None
    asyncio.run(_run(guest, onegate, secrets))
    return 0


async def _run(guest: Host, onegate: OneGate | None, secrets: tuple[str, ...]) -> None:
    if isinstance(guest, MachineGuest):

        def make(logs: Path, listener: Listener) -> Services:
            return Systemd(logs=logs, listener=listener, secrets=secrets)

        appliance = Appliance(guest, onegate=onegate, secrets=secrets, make_services=make, service_files=systemd_files)
    else:
        appliance = Appliance(guest, onegate=onegate, secrets=secrets)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, appliance.ask_to_stop)
    loop.add_signal_handler(signal.SIGHUP, appliance.ask_to_reconfigure)
    await appliance.run()


def _onegate_ca(guest: Host, values: Mapping[str, str]) -> Path | None:
    """OneGate's CA as a file, before the CONTEXT is known to be good: its refusal is reported through OneGate, too."""
    raw = Fields(values).decoded("FL_ONEGATE_CA", why="", required=False)
    if not raw:
        return None
    path = guest.machine("").path(ONEGATE_CA)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, raw, mode=0o644)
    except OSError as error:
        # What was written before may be there; if not, OneGate's calls fail and say so.
        LOG.error("OneGate's CA was not written: %s", error)
    return path


def _log_to(folder: Path, redactor: Redactor) -> None:
    """Log to standard output, which a driver keeps as the console, and to appliance.log."""
    folder.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout), _FileHandler(folder / "appliance.log")]
    for handler in handlers:
        handler.addFilter(RedactingFilter(redactor))
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)


class _FileHandler(logging.Handler):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._log = RotatingLog(path, most_bytes=2_000_000, keep=2)

    def emit(self, record: logging.LogRecord) -> None:
        # The line is on the console, too; whoever logs must not fail because a disk is full.
        with contextlib.suppress(OSError):
            self._log.write(self.format(record))


def _plan(arguments: argparse.Namespace) -> int:
    try:
        values = read_assignments(arguments.context)
    except OSError as error:
        raise ApplianceError(f"{arguments.context} cannot be read: {error.strerror}. Give a context.sh.") from error
    context = read_context(values, now=datetime.now(UTC))
    machine = Machine(
        root=arguments.root,
        loopback=arguments.loopback,
        address=arguments.address or context.address or arguments.loopback,
        bin_dir=arguments.bin,
        vm_name=arguments.vm_name,
        service_user=arguments.service_user,
    )
    wanted = plan(context, machine, server_keys=held_keys(machine))
    if arguments.json:
        print(json.dumps(describe(wanted), indent=2))
    else:
        for file in systemd_files(wanted):
            print(f"# {file.path}\n{file.content}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    guest = MachineGuest.find(root=arguments.root)
    try:
        values = guest.context_values()
    except OSError as error:
        raise ApplianceError(f"{guest.context_file} cannot be read: {error.strerror}. Run this as root.") from error
    context = read_context(values, now=datetime.now(UTC))
    units = plan(context, guest.machine("")).units
    role = "superlink" if isinstance(context, SuperLinkContext) else "supernode"
    print(f"{role} of federation {context.federation} in zone {context.zone}: {', '.join(unit.name for unit in units)}")
    return 0


def _image_process(arguments: argparse.Namespace) -> int:
    source = Path(flower_appliance.__file__).resolve().parent.parent
    document = render_process_image(bin_dir=arguments.bin, source=source)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_file(arguments.output, document.encode(), mode=0o644)
    return 0
