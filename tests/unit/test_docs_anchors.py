"""Links into the middle of a page lead to a heading that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.test_docs import PAGES, ROOT

LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]*)#([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and others make them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_to_a_heading_finds_it(page: Path) -> None:
    missing = []
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            found = page if not target else page.parent / target
            if found.suffix == ".md" and anchor not in anchors(found):
                missing.append(f"{target}#{anchor}")
    assert missing == []


def test_anchors_are_made_of_headings_and_not_of_comments_in_code(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page's `name`, here\n\n```sh\n# no heading\n```\n\n## Two words\n")
    assert anchors(page) == {"a-pages-name-here", "two-words"}
