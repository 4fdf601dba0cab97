"""The `zonebox` command: run a zone in the foreground or in the background, stop it, say how it is, break it for tests.

Options only; what a zone does is zone.py's. It imports little: the zone's own modules load in the zone's process only.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from zonebox import background
from zonebox.control import Control
from zonebox.control import cli as control_cli
from zonebox.drivers.nics import DEFAULT_SWITCH
from zonebox.errors import ConfigError, ControlError
from zonebox.settings import Settings

_DESCRIPTION = """\
An OpenNebula-compatible zone in one process: oned's XML-RPC on port 2633, OneFlow on 2474, OneGate on 5030, all on one
address, with TLS from a certificate authority of its own. State is one folder; a zone that was killed takes up where it
was.
"""
_EXAMPLES = """\
examples:
  zonebox up --name madrid --state .federation/zones/madrid --address 127.10.0.1
      start in the background, wait until it answers, print the endpoints; safe to repeat
  zonebox status --state .federation/zones/madrid --json
  zonebox down --state .federation/zones/madrid
      stop the zone and its guests; with --keep-vms the guests run on, and the next start finds them
  zonebox serve --name t --state ./t --address 127.0.0.1 --driver fake --plain-http
      in the foreground, VMs in memory only, without TLS (loopback only): good for tests

credentials: STATE/one_auth (user:password, mode 0600). CA certificate: STATE/ca.crt. Endpoints: STATE/endpoints.json.
A client: ONE_XMLRPC=https://ADDRESS:2633/RPC2, any OpenNebula library, the CA certificate as its trust.
"""


_UP_EXAMPLES = """\
examples:
  zonebox up --name madrid --state ./madrid --address 127.10.0.1
      VMs are processes of this machine; prints where the zone answers
  zonebox up --name madrid --state ./madrid --address 127.10.0.1 --share /srv/data=/data/hospital
      every VM sees the host's folder /data/hospital at /srv/data
  zonebox up --name madrid --state ./madrid --address 127.10.0.1 --driver nspawn --onegate-host 169.254.16.9
      VMs are containers with networks of their own, in which 127.10.0.1 would be themselves (needs root)
  zonebox up --name t --state ./t --address 127.0.0.1 --driver fake --control
      VMs in memory; `zonebox fault` may break them, `zonebox clock --advance` moves the time

A zone that runs already is left as it is. See what it says in FOLDER/zone.log; stop it with `zonebox down`.
"""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    root = argparse.ArgumentParser(
        prog="zonebox",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (("serve", "run a zone in the foreground"), ("up", "run a zone in the background")):
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text.capitalize()}.",
            epilog=_UP_EXAMPLES
            if name == "up"
            else "Ends with SIGTERM or SIGINT, guests too; with SIGHUP they run on.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_zone_options(command)
        if name == "up":
            command.add_argument("--json", action="store_true", help="print the endpoints as JSON")
            command.add_argument(
                "--timeout", type=float, default=20.0, metavar="S", help="seconds to wait (default 20)"
            )
    down = commands.add_parser("down", help="stop a zone", description="Stop a zone that runs in the background.")
    _add_state(down)
    down.add_argument("--keep-vms", action="store_true", help="leave guests running; the next start finds them")
    down.add_argument("--timeout", type=float, default=30.0, metavar="S", help="seconds to wait (default 30)")
    status = commands.add_parser("status", help="say whether a zone runs", description="Say whether a zone runs.")
    _add_state(status)
    status.add_argument("--json", action="store_true", help="as JSON")
    control_cli.register(commands)
    return root


def _add_state(command: argparse.ArgumentParser) -> None:
    command.add_argument("--state", type=Path, required=True, metavar="FOLDER", help="the zone's folder")


def _add_zone_options(command: argparse.ArgumentParser) -> None:
    _add_state(command)
    command.add_argument("--name", required=True, help="the zone's name: lower-case letters, digits, hyphens")
    command.add_argument("--address", required=True, metavar="IPV4", help="address of the three endpoints")
    command.add_argument(
        "--driver",
        default="process",
        help="process: a VM is a folder and processes; nspawn: a container with the image's own root file system "
        "(needs root, and --onegate-host); qemu: an emulated machine that boots the QCOW2 (the same, and slow without "
        "KVM); fake: VMs in memory (default process)",
    )
    command.add_argument(
        "--share",
        action="append",
        default=[],
        metavar="GUEST=HOST",
        help="show a host folder to every VM at an absolute guest path; repeatable",
    )
    command.add_argument(
        "--onegate-host", default="", metavar="HOST", help="what VMs reach OneGate at (default: address)"
    )
    command.add_argument(
        "--switch",
        default=DEFAULT_SWITCH,
        metavar="NAME",
        help=f"network namespace with the bridges of containers and machines (default {DEFAULT_SWITCH}); zones with "
        "the same one reach each other",
    )
    command.add_argument("--plain-http", action="store_true", help="no TLS; loopback addresses only")
    command.add_argument(
        "--control",
        action="store_true",
        help="serve the control API for tests on FOLDER/control.sock (`zonebox fault`)",
    )
    command.add_argument(
        "--clock",
        choices=("system", "manual"),
        default="system",
        help="manual: time stands still until `zonebox clock --advance`; needs --control (default system)",
    )
    command.add_argument("--verbose", action="store_true", help="log every step")


def settings_from(options: argparse.Namespace) -> Settings:
    """Settings from parsed options. Raises ConfigError."""
    shares: dict[str, Path] = {}
    for share in options.share:
        guest, mark, host = share.partition("=")
        folder = Path(host)
        if not mark or not guest.startswith("/") or not folder.is_dir():
            raise ConfigError(
                f"--share {share}",
                "GUEST=HOST is expected, GUEST absolute, HOST a folder that exists",
                "every VM gets a link at GUEST to HOST",
                "Correct the option, or make the folder first.",
            )
        shares[guest] = folder.resolve()
    return Settings(
        name=options.name,
        state=options.state.resolve(),
        address=options.address,
        driver=options.driver,
        shares=shares,
        plain_http=options.plain_http,
        switch=options.switch,
        onegate_host=options.onegate_host,
        control=options.control,
        clock=options.clock,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command's entry point: 0 for success, 1 where nothing runs, 2 for a wrong option."""
    options = parser().parse_args(arguments)
    try:
        return _run(options)
    except (ConfigError, ControlError) as error:
        problem: ConfigError | ControlError = error
    except OSError as error:
        problem = ConfigError(
            str(error.filename or options.state),
            "this user must be able to read and write the zone's folder",
            error.strerror or str(error),
            "Correct owner and mode, make room, or choose another --state.",
        )
    sys.stderr.write(f"zonebox: {problem}\n")
    return 2


def _run(options: argparse.Namespace) -> int:
    if options.command == "serve":
        # Loading a zone's modules takes longer than all that the other commands do.
        importlib.import_module("zonebox.serving").run(settings_from(options), verbose=options.verbose)
        return 0
    if "act" in options:
        return int(options.act(Control(options.state.resolve()), options))
    if options.command == "up":
        settings = settings_from(options)
        ends = background.up(settings, options.timeout, verbose=options.verbose)
        _say(ends, as_json=options.json)
        return 0
    state = options.state.resolve()
    if options.command == "down":
        stopped = background.down(state, options.timeout, keep_vms=options.keep_vms)
        sys.stdout.write("stopped\n" if stopped else "nothing was running\n")
        return 0
    found = background.status(state)
    _say(found, as_json=options.json)
    return 0 if found["running"] else 1


def _say(facts: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    for key, value in facts.items():
        sys.stdout.write(f"{key:>8}  {value}\n")
