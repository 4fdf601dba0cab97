"""What the pages print exists: links lead somewhere, and every command is one that its program takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from flower_federation import cli as federation_cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("stacks/*.md")])
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(#[^)]*)?\)")
SYNOPSIS = re.compile(r"^ {4}federation .*$", re.MULTILINE)
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def commands(page: Path) -> Iterator[list[str]]:
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            words = shlex.split(line.split("  #")[0].removeprefix("$ "), comments=True)
            if words:
                yield words


def synopses(page: Path) -> Iterator[list[str]]:
    """Indented lines with one of our commands: what is in brackets is optional, and words after a gap explain it."""
    for line in SYNOPSIS.findall(page.read_text(encoding="utf-8")):
        yield shlex.split(re.sub(r"\[[^\]]*\]", "", line.strip()).split("  ")[0])


ENTRY_POINTS: dict[str, tuple[str, ...]] = {
    "federation": (),
    **{f"scripts/{name}": (name,) for name in ("demo", "preview", "image")},
    "scripts/federation": (),
}
FEDERATION = sorted(
    {
        (*ENTRY_POINTS[words[0]], *words[1:])
        for page in PAGES
        for words in (*commands(page), *synopses(page))
        if words[0] in ENTRY_POINTS
    }
)
SCRIPTS = sorted({words[0] for page in PAGES for words in commands(page) if words[0].startswith("scripts/")})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_to_files_of_the_repository(page: Path) -> None:
    targets = [target for target, _ in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("arguments", FEDERATION, ids=" ".join)
def test_federation_takes_the_commands_that_pages_print(arguments: tuple[str, ...]) -> None:
    assert federation_cli.parser().parse_args(arguments).handler


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_that_pages_print_exist_and_can_be_run(script: str) -> None:
    assert (ROOT / script).stat().st_mode & 0o111


def test_the_readme_prints_the_two_commands_that_a_newcomer_and_ci_run() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"scripts/demo", "scripts/test"} <= {words[0] for words in commands(ROOT / "README.md")}
    assert "scripts/test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert readme.index("## Two commands") < readme.index("## Pages")
