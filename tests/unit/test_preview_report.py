"""The Markdown of a preview: what a reviewer sees, and what nobody may see."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from flower_federation.preview_report import (
    UNKNOWN_SENTINEL,
    Kind,
    PreviewFormatError,
    parse_preview,
    render,
    render_all,
    summary,
)

PROJECT = "urn:pulumi:berlin-hospital::flower-federation"
SERVICE = f"{PROJECT}::flower:index:FlowerSupernodePool$opennebula:index/service:Service::pool"
STACK = f"{PROJECT}::pulumi:pulumi:Stack::flower-federation-berlin-hospital"


def step(op: str, urn: str = SERVICE, **fields: Any) -> dict[str, Any]:
    return {"op": op, "urn": urn, **fields}


def preview_of(*steps: dict[str, Any], diagnostics: list[dict[str, Any]] | None = None, same: int = 1) -> str:
    return json.dumps({"steps": list(steps), "diagnostics": diagnostics or [], "changeSummary": {"same": same}})


def scale(old: Any, new: Any, *, kind: str = "update", op: str = "update") -> dict[str, Any]:
    return step(
        op,
        oldState={"inputs": {"extraTemplate": old}},
        newState={"inputs": {"extraTemplate": new}},
        detailedDiff={"extraTemplate": {"kind": kind, "inputDiff": True}},
    )


def test_a_scaled_pool_is_one_update_with_its_old_and_new_value() -> None:
    preview = parse_preview("berlin-hospital", preview_of(step("same", STACK), scale("two", "three")))
    assert summary(preview) == "0 to create, 1 to update, 0 to delete, 0 to replace (0 unchanged)."
    assert "| `extraTemplate` | `two` | `three` |  |" in render(preview)
    assert "CAUTION" not in render(preview)


def test_a_stack_without_changes_says_so() -> None:
    preview = parse_preview("paris-lab", preview_of(step("same", STACK), same=12))
    assert render(preview) == "## `paris-lab`\n\nNo changes (11 unchanged).\n"


def test_a_replacement_told_in_three_steps_counts_once_and_is_loud() -> None:
    parts = [
        step("create-replacement", detailedDiff=None),
        scale("a", "b", kind="update-replace", op="replace"),
        step("delete-replaced"),
    ]
    preview = parse_preview("berlin-hospital", preview_of(*parts))
    text = render(preview)
    assert preview.count(Kind.REPLACE) == 1
    assert "> [!CAUTION]" in text
    assert ":rotating_light: **REPLACE** `opennebula:index/service:Service` `pool`" in text
    assert "forces replacement" in text


def test_a_deletion_is_loud_in_the_table_over_all_stacks() -> None:
    preview = parse_preview("berlin-hospital", preview_of(step("delete")))
    assert "| `berlin-hospital` | 0 | 0 | 0 | **1** :rotating_light: | 0 |" in render_all([preview], base="main")


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_key_material_never_appears_also_not_in_base64(offset: int) -> None:
    pem = "x" * offset + "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIB\n"
    for value in (pem, base64.b64encode(pem.encode()).decode()):
        text = render(parse_preview("madrid-central", preview_of(scale(value, "[secret]"))))
        assert value[:20] not in text
        assert "| `extraTemplate` | `[secret]` | `[secret]` |" in text


def test_a_property_inside_a_secret_stays_a_secret() -> None:
    inside = step(
        "update",
        oldState={"inputs": {"context": "[secret]"}},
        newState={"inputs": {"context": "[secret]"}},
        detailedDiff={"context.FL_SERVER_KEY": {"kind": "update"}},
    )
    assert "| `context.FL_SERVER_KEY` | `[secret]` | `[secret]` |" in render(parse_preview("m", preview_of(inside)))


def test_nested_paths_lists_and_quoted_keys_are_followed() -> None:
    nested = step(
        "update",
        oldState={"inputs": {"nics": [{"networkId": 3}], "tags": {"a.b": "x"}}},
        newState={"inputs": {"nics": [{"networkId": 4}], "tags": {"a.b": "y"}}},
        detailedDiff={"nics[0].networkId": {"kind": "update"}, 'tags["a.b"]': {"kind": "update"}},
    )
    text = render(parse_preview("m", preview_of(nested)))
    assert "| `nics[0].networkId` | `3` | `4` |" in text
    assert '| `tags["a.b"]` | `x` | `y` |' in text


def test_a_value_known_only_after_up_is_named_so() -> None:
    text = render(parse_preview("m", preview_of(scale("old", UNKNOWN_SENTINEL))))
    assert "`(known after up)`" in text
    assert UNKNOWN_SENTINEL not in text


def test_warnings_of_the_program_are_shown() -> None:
    warned = preview_of(step("same"), diagnostics=[{"severity": "warning", "message": "leaf expires in 12 days\n"}])
    assert "> [!WARNING]\n> leaf expires in 12 days" in render(parse_preview("m", warned))


def test_an_answer_that_is_no_json_is_refused_with_its_beginning_and_the_remedy() -> None:
    with pytest.raises(PreviewFormatError, match=r"'error: no stack'.*pulumi preview --json"):
        parse_preview("m", "error: no stack")
