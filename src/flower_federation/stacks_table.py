"""stacks/README.md: the table of what differs between stacks, made from their files. It reads no cloud and no state.

Run as `python -m flower_federation.stacks_table`; a test fails where the committed table is not what this makes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from flower_federation.setup import project_folder
from flower_federation.stacks import PROJECT, STACKS_FOLDER, StackFile, read_stack_files

BEGIN = "<!-- table: written by python -m flower_federation.stacks_table -->"
END = "<!-- end of table -->"
ABSENT = "-"


def flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Settings by their whole name: objects are taken apart, lists are one value.

    Args:
        value: A setting, or all of them.
        prefix: Name of what `value` lies in.
    """
    if isinstance(value, Mapping):
        return {name: text for key in value for name, text in flatten(value[key], f"{prefix}{key}.").items()}
    if isinstance(value, list):
        entries = [" ".join(_words(part) for part in e.values()) if isinstance(e, Mapping) else str(e) for e in value]
        return {prefix.rstrip("."): ", ".join(entries)}
    return {prefix.rstrip("."): str(value)}


def _words(part: Any) -> str:
    return " ".join(str(item) for item in part) if isinstance(part, list) else str(part)


def table(stacks: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    """A Markdown table: one row a setting that is not the same in all stacks.

    Args:
        stacks: Names with their flat settings, in the order of the columns.
    """
    names = list(dict.fromkeys(name for _, settings in stacks for name in settings))
    rows = [(name, [settings.get(name, ABSENT) for _, settings in stacks]) for name in names]
    lines = ["| setting | " + " | ".join(stack for stack, _ in stacks) + " |", "|---|" + "---|" * len(stacks)]
    lines += [f"| `{name}` | " + " | ".join(values) + " |" for name, values in rows if len(set(values)) > 1]
    return "\n".join(lines)


def render(project: Path, text: str) -> str:
    """The README with its table as the stack files say.

    Args:
        project: The project's folder.
        text: The README as it is; what stands between the two marks is replaced.
    """
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    stacks = [(stack.name, _settings(project, stack)) for stack in read_stack_files(project)]
    return f"{head}{BEGIN}\n\n{table(stacks)}\n\n{END}{tail}"


def _settings(project: Path, stack: StackFile) -> dict[str, str]:
    path = project / STACKS_FOLDER / f"Pulumi.{stack.name}.yaml"
    config: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]
    return flatten({key.removeprefix(f"{PROJECT}:"): value for key, value in config.items()})


def main() -> int:
    """Write the README anew."""
    project = project_folder()
    path = project / STACKS_FOLDER / "README.md"
    path.write_text(render(project, path.read_text(encoding="utf-8")), encoding="utf-8")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
