"""`zonebox fault`, `zonebox clock` and `zonebox counts`: the control API by hand. What it does is the client's."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zonebox.control.client import Control

_FAULT_EXAMPLES = """\
names that patterns match (*, ? and [...] as in file names; case matters):
  one.vm.action                      a method of oned
  oneflow POST /service/3/scale      a request to OneFlow
  onegate PUT /vm                    a request to OneGate
  prolog NAME, boot NAME, stop NAME  a phase of the VM of that name
  hotplug NAME                       a change of its devices or its CONTEXT while it runs

examples:
  zonebox fault add --state FOLDER 'one.vm.*' --count 2            refuse the next two
  zonebox fault add --state FOLDER 'boot supernode_*' --text 'no memory'
  zonebox fault add --state FOLDER 'onegate *' --code 503          OneGate is down
  zonebox fault add --state FOLDER 'onegate *' --hang              OneGate does not answer, until the fault is cleared
  zonebox fault add --state FOLDER one.image.info --delay 5
  zonebox fault kill --state FOLDER 12
  zonebox fault fill --state FOLDER 1 --free-mb 100
  zonebox fault clear --state FOLDER

The zone must have been started with --control.
"""


def register(commands: Any) -> None:
    """Add the three commands to `zonebox`; each sets `act`, a function from client and options
    to an exit status."""
    text = "make a zone fail, for tests"
    fault = commands.add_parser(
        "fault",
        help=text,
        description="Make a zone fail, for tests.",
        epilog=_FAULT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = fault.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_add(actions)
    listed = _action(actions, "list", "show faults and what they have met", _list)
    listed.add_argument("--json", action="store_true", help="as JSON")
    cleared = _action(actions, "clear", "remove one fault, or all", _clear)
    cleared.add_argument("number", nargs="?", type=int, metavar="NUMBER", help="the fault; all where absent")
    for name, words in (("kill", "end a guest as a crash would"), ("freeze", "halt a guest"), ("thaw", "let it go on")):
        command = _action(actions, name, words, _guest)
        command.add_argument("vm", type=int, metavar="VM", help="the VM's id")
    fill = _action(actions, "fill", "leave a datastore little room", _fill)
    fill.add_argument("datastore", type=int, metavar="DATASTORE", help="the datastore's id")
    fill.add_argument("--free-mb", type=int, default=0, metavar="MIB", help="room that is left (default 0)")
    empty = _action(actions, "empty", "give a datastore its room back", _empty)
    empty.add_argument("datastore", type=int, metavar="DATASTORE", help="the datastore's id")
    clock = _action(commands, "clock", "say a zone's time, or move its clock ahead", _clock)
    clock.add_argument("--advance", type=float, metavar="SECONDS", help="move it ahead by that much")
    counts = _action(commands, "counts", "say how often a zone was asked what", _counts)
    counts.add_argument("--reset", action="store_true", help="count from nothing again")


def _action(actions: Any, name: str, words: str, function: Callable[..., int]) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = actions.add_parser(name, help=words, description=f"{words.capitalize()}.")
    command.add_argument("--state", type=Path, required=True, metavar="FOLDER", help="the zone's folder")
    command.set_defaults(act=function)
    return command


def _add_add(actions: Any) -> None:
    command = _action(actions, "add", "add a fault", _add)
    command.add_argument("pattern", metavar="PATTERN", help="what it meets")
    effect = command.add_mutually_exclusive_group()
    effect.add_argument("--delay", type=float, metavar="SECONDS", help="do it later instead of refusing it")
    for name, words in (
        ("hang", "do it only after the fault is cleared"),
        ("drop", "close the connection, do nothing"),
        ("lose", "do it, close the connection without an answer"),
    ):
        effect.add_argument(f"--{name}", action="store_true", help=words)
    command.add_argument("--count", type=int, metavar="N", help="how many matches it meets (default: all)")
    command.add_argument("--skip", type=int, default=0, metavar="N", help="how many matches pass first (default 0)")
    command.add_argument("--text", default="fault injected", help="message of a refusal")
    command.add_argument("--code", type=int, default=0, metavar="N", help="oned's code or HTTP status of a refusal")


def _add(control: Control, options: argparse.Namespace) -> int:
    common = {"times": options.count, "skip": options.skip}
    if options.delay is not None:
        number = control.delay(options.pattern, options.delay, **common)
    elif options.hang:
        number = control.hang(options.pattern, **common)
    elif options.drop:
        number = control.drop(options.pattern, **common)
    elif options.lose:
        number = control.lose(options.pattern, **common)
    else:
        number = control.fail(options.pattern, text=options.text, code=options.code, **common)
    sys.stdout.write(f"{number}\n")
    return 0


def _list(control: Control, options: argparse.Namespace) -> int:
    found = control.faults()
    if options.json:
        sys.stdout.write(json.dumps([asdict(fault) for fault in found]) + "\n")
        return 0
    for fault in found:
        limit = "" if fault.count is None else f" of {fault.count}"
        sys.stdout.write(f"{fault.id:>4}  {fault.effect:<5}  {fault.pattern}  met {fault.met}{limit}\n")
    return 0


def _clear(control: Control, options: argparse.Namespace) -> int:
    sys.stdout.write(f"{control.clear(options.number)} cleared\n")
    return 0


def _guest(control: Control, options: argparse.Namespace) -> int:
    {"kill": control.kill, "freeze": control.freeze, "thaw": control.thaw}[options.action](options.vm)
    return 0


def _fill(control: Control, options: argparse.Namespace) -> int:
    control.fill(options.datastore, free_mb=options.free_mb)
    return 0


def _empty(control: Control, options: argparse.Namespace) -> int:
    control.empty(options.datastore)
    return 0


def _clock(control: Control, options: argparse.Namespace) -> int:
    now = control.now() if options.advance is None else control.advance(options.advance)
    sys.stdout.write(f"{now:.3f}\n")
    return 0


def _counts(control: Control, options: argparse.Namespace) -> int:
    if options.reset:
        control.reset_counts()
        return 0
    for name, count in control.counts().items():
        sys.stdout.write(f"{count:>8}  {name}\n")
    sys.stdout.write(f"{control.busiest_second():>8}  in the busiest second\n")
    return 0
