"""`federation audit`: looks at a SuperLink's audit. It changes no line and asks no SuperLink: it reads a file.

The file is /var/log/flower/audit.jsonl of the SuperLink's VM, or a copy of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from flower_appliance.audit_chain import Head, Verdict, check_chain
from flower_federation.errors import InputError

MOST_FAULTS = 20


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `audit` with `verify` and `show`."""
    audit = subparsers.add_parser(
        "audit",
        help="look at a SuperLink's audit: who did what when, and whether the record is whole",
        description="The audit is /var/log/flower/audit.jsonl in the SuperLink's VM; give the file or a copy of it.",
    )
    commands = audit.add_subparsers(required=True, metavar="COMMAND")
    verify = commands.add_parser(
        "verify",
        help="find changed, removed, added and moved lines",
        description="Exit status 1 where the audit does not hold. Lines that were cut off its end, and an audit that "
        "was written anew from some line on, show only with --head.",
    )
    verify.add_argument(
        "--head",
        metavar="SEQ:HASH",
        help="a head that was seen before: FL_AUDIT_HEAD of the SuperLink's VM, or a line's seq and hash from the log "
        "pipeline",
    )
    verify.set_defaults(handler=_verify)
    show = commands.add_parser("show", help="show the lines, the last ones last")
    show.add_argument("--last", type=int, default=0, metavar="N", help="only the last N lines that fit")
    for name, meaning in (("name", "of whoever did it"), ("action", "such as run or unregister")):
        show.add_argument(f"--{name}", metavar=name.upper(), help=f"only this {name}, {meaning}")
    show.add_argument("--outcome", choices=("done", "refused", "failed"), help="only this outcome")
    show.set_defaults(handler=_show)
    for command in (verify, show):
        command.add_argument("file", type=Path, metavar="FILE", help="the audit")
        command.add_argument("--json", action="store_true", help="print the result as JSON")


def _verify(arguments: argparse.Namespace) -> int:
    verdict = check_chain(_lines(arguments.file), published=_head(arguments.head))
    if arguments.json:
        print(json.dumps(_document(verdict), indent=2))
    elif verdict.intact:
        print(f"{arguments.file}: {verdict.lines} lines, whole; head {verdict.head or 'none'}")
        if arguments.head is None:
            print("without --head, lines that were cut off the end cannot be missed", file=sys.stderr)
    else:
        for fault in verdict.faults[:MOST_FAULTS]:
            print(f"{arguments.file}:{fault.line}: {fault.what}")
        print(f"{arguments.file}: {len(verdict.faults)} faults in {verdict.lines} lines", file=sys.stderr)
    return 0 if verdict.intact else 1


def _show(arguments: argparse.Namespace) -> int:
    found = [line for line in _read(arguments.file) if _fits(line, arguments)]
    found = found[-arguments.last :] if arguments.last > 0 else found
    if arguments.json:
        for line in found:
            print(json.dumps(line, sort_keys=True))
        return 0
    table = Table("seq", "time (UTC)", "who", "role", "action", "outcome", "what")
    for line in found:
        actor = line.get("actor") or {}
        ids = " ".join(f"{name} {line[name]}" for name in ("run", "node") if name in line)
        who = actor.get("name") or line.get("source") or "the machine"
        what = " ".join(filter(None, (ids, line.get("reason", ""))))
        table.add_row(
            str(line["seq"]), line["time"][:19], who, actor.get("role", ""), line["action"], line["outcome"], what
        )
    Console().print(table)
    return 0


def _fits(line: dict[str, Any], arguments: argparse.Namespace) -> bool:
    actor = line.get("actor") or {}
    wanted = (
        (arguments.name, actor.get("name")),
        (arguments.action, line["action"]),
        (arguments.outcome, line["outcome"]),
    )
    return all(value is None or value == found for value, found in wanted)


def _read(path: Path) -> list[dict[str, Any]]:
    found = []
    for number, text in enumerate(_lines(path), start=1):
        try:
            line = json.loads(text)
            if not {"seq", "time", "action", "outcome"} <= set(line):
                raise ValueError
        except (ValueError, TypeError):
            raise InputError(
                given=f"{path}:{number}: {text[:80]!r}",
                rule="every line of an audit is one JSON object with seq, time, action and outcome",
                reason="this is another file, or it was changed",
                remedy=f"run federation audit verify {path}",
            ) from None
        found.append(line)
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(
            given=f"{path}: {error.strerror or error}",
            rule="it is a file that can be read",
            reason="the audit is read from it",
            remedy="copy /var/log/flower/audit.jsonl from the SuperLink's VM, and name the copy",
        ) from error


def _head(text: str | None) -> Head | None:
    if text is None:
        return None
    try:
        return Head.parse(text)
    except ValueError as error:
        raise InputError(
            given=f"--head {text}",
            rule="it is SEQ:HASH",
            reason=str(error),
            remedy="take FL_AUDIT_HEAD of the SuperLink's VM (onevm show), or seq and hash of a line that you kept",
        ) from error


def _document(verdict: Verdict) -> dict[str, Any]:
    return {
        "intact": verdict.intact,
        "lines": verdict.lines,
        "head": None if verdict.head is None else str(verdict.head),
        "faults": [{"line": fault.line, "what": fault.what} for fault in verdict.faults],
    }
