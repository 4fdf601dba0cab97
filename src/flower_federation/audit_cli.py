"""`federation audit`: looks at a SuperLink's audit. It changes no line and asks no SuperLink: it reads files.

They are /var/log/flower/audit.jsonl of the SuperLink's VM, or a copy of it, and the older files beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from flower_appliance.audit_chain import Fault, Head, Verdict, check_chain
from flower_appliance.audit_segments import segments
from flower_federation.errors import InputError
from flower_federation.terminal import table, terminal

MOST_FAULTS = 20


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `audit` with `verify` and `show`."""
    audit = subparsers.add_parser(
        "audit",
        help="look at a SuperLink's audit: who did what when, and whether the record is whole",
        description="The audit is /var/log/flower/audit.jsonl in the SuperLink's VM; give the file or a copy of it. "
        "Older files of it, audit-FIRST-LAST.jsonl, are read with it where they lie beside it.",
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
    verify.add_argument(
        "--after",
        metavar="SEQ:HASH",
        help="the last line of those that were moved away: the audit must go on from there",
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
    lines = _lines(arguments.file)
    verdict = check_chain(
        (text for _, _, text in lines),
        published=_head(arguments.head, "--head"),
        after=_head(arguments.after, "--after"),
    )
    if arguments.json:
        print(json.dumps(_document(verdict, lines, arguments.file), indent=2))
    elif verdict.intact:
        print(f"{arguments.file}: {verdict.lines} lines, whole; head {verdict.head or 'none'}")
        if arguments.head is None:
            print("without --head, lines that were cut off the end cannot be missed", file=sys.stderr)
    else:
        for fault in verdict.faults[:MOST_FAULTS]:
            file, number = _place(fault, lines, arguments.file)
            print(f"{file}:{number}: {fault.what}")
        print(f"{arguments.file}: {len(verdict.faults)} faults in {verdict.lines} lines", file=sys.stderr)
    return 0 if verdict.intact else 1


def _show(arguments: argparse.Namespace) -> int:
    found = [line for line in _read(arguments.file) if _fits(line, arguments)]
    found = found[-arguments.last :] if arguments.last > 0 else found
    if arguments.json:
        for line in found:
            print(json.dumps(line, sort_keys=True))
        return 0
    shown = table("seq", "time (UTC)", "who", "role", "action", "outcome", "what")
    for line in found:
        actor = line.get("actor") or {}
        ids = " ".join(f"{name} {line[name]}" for name in ("run", "node") if name in line)
        who = actor.get("name") or line.get("source") or "the machine"
        what = " ".join(filter(None, (ids, line.get("reason", ""))))
        shown.add_row(
            str(line["seq"]), line["time"][:19], who, actor.get("role", ""), line["action"], line["outcome"], what
        )
    terminal().print(shown)
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
    for file, number, text in _lines(path):
        try:
            line = json.loads(text)
            if not is_line(line):
                raise ValueError
        except ValueError:
            raise InputError(
                given=f"{file}:{number}: {text[:80]!r}",
                rule="every line of an audit is one JSON object with seq, time, action and outcome",
                reason="this is another file, or it was changed",
                remedy=f"run federation audit verify {path}",
            ) from None
        found.append(line)
    return found


def is_line(found: Any) -> bool:
    """Whether a JSON value has the parts of an audit's line, each of its kind."""
    return (
        isinstance(found, dict)
        and isinstance(found.get("seq"), int)
        and all(isinstance(found.get(name), str) for name in ("time", "action", "outcome"))
        and isinstance(found.get("reason", ""), str)
        and isinstance(found.get("source") or "", str)
        and isinstance(found.get("actor") or {}, dict)
        and all(isinstance(value, str) for value in (found.get("actor") or {}).values())
    )


Line = tuple[Path, int, str]
"""File, number in it from 1, and text."""


def _lines(path: Path) -> list[Line]:
    """Every line of the audit, the oldest file first."""
    return [
        (file, number, text)
        for file in segments(path) or [path]
        for number, text in enumerate(_text(file).splitlines(), start=1)
    ]


def _place(fault: Fault, lines: list[Line], path: Path) -> tuple[Path, int]:
    """File and line of a fault; one more than the last file has where the end is missing."""
    if fault.line <= len(lines):
        file, number, _ = lines[fault.line - 1]
        return file, number
    file, number, _ = lines[-1] if lines else (path, 0, "")
    return file, number + 1


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(
            given=f"{path}: {error.strerror or error}",
            rule="it is a file that can be read",
            reason="the audit is read from it",
            remedy="copy /var/log/flower/audit.jsonl from the SuperLink's VM, and name the copy",
        ) from error


def _head(text: str | None, option: str) -> Head | None:
    if text is None:
        return None
    try:
        return Head.parse(text)
    except ValueError as error:
        raise InputError(
            given=f"{option} {text}",
            rule="it is SEQ:HASH",
            reason=str(error),
            remedy="take FL_AUDIT_HEAD of the SuperLink's VM (onevm show), or seq and hash of a line that you kept",
        ) from error


def _document(verdict: Verdict, lines: list[Line], path: Path) -> dict[str, Any]:
    places = [(*_place(fault, lines, path), fault.what) for fault in verdict.faults]
    return {
        "intact": verdict.intact,
        "lines": verdict.lines,
        "head": None if verdict.head is None else str(verdict.head),
        "faults": [{"file": str(file), "line": number, "what": what} for file, number, what in places],
    }
