"""Service templates as documents: schema, conversion, merging, filling, substitution, rendering."""

from __future__ import annotations

from typing import Any

import pyone
import pytest

from tests.zonebox_services_support import role
from zonebox.oneflow import recurrence
from zonebox.oneflow.errors import BadRequest
from zonebox.oneflow.expression import ExpressionError, parse
from zonebox.oneflow.lifecycle import whole_number
from zonebox.oneflow.render import pretty
from zonebox.oneflow.schema import validate_role, validate_service
from zonebox.oneflow.states import LCM_FAILURES, Condition, RoleState, ServiceState, condition_of
from zonebox.oneflow.substitution import substitute
from zonebox.oneflow.templates import convert_old_format, deep_merge, merged_for_instance, parse_contents

ELASTIC = {"type": "CHANGE", "adjust": 1, "expression": "A > 1"}


def _service(*roles: Any, **more: Any) -> dict[str, Any]:
    return {"name": "s", "roles": list(roles), **more}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "KEY: '' must be an Object;"),
        ({"roles": []}, "Mandatory document key 'name (string)' is missing from {\"roles\":[]}"),
        (_service(deployment="other"), "KEY: 'deployment' must be one of none, straight;"),
        (_service(role("a b")), "KEY: 'name' must match regexp /^\\w+$/;"),
        (_service({"type": "vm"}), 'Mandatory document key \'name (string)\' is missing from {"type":"vm"}'),
        (_service(role("a", type="vr")), 'Unsupported role type "vr"'),
        (_service(role("a", cardinality=-1)), "KEY: 'cardinality' must be greater than or equal to 0;"),
        (_service(role("a", template_id="x")), "KEY: 'template_id' must be an Integer;"),
        (_service(role("a", template_contents="NIC=[]")), "KEY: 'template_contents' must be an Object;"),
        (_service(role("a", parents="b")), "KEY: 'parents' must be an Array;"),
        (_service(role("a", parents=[1])), "KEY: 'parents' must be a String;"),
        (_service(role("a"), role("a")), "Role name 'a' is repeated"),
        (_service(role("a", min_vms=2)), "Role 'a' 'cardinality' must be greater than or equal to 'min_vms'"),
        (_service(role("a", max_vms=0)), "Role 'a' 'cardinality' must be lower than or equal to 'max_vms'"),
        (_service(role("a", shutdown_action="off")), "KEY: 'shutdown_action' must be one of terminate, "),
        (_service(role("a", elasticity_policies=[ELASTIC])), "must define both 'min_vms' and 'max_vms'"),
        (_service(role("a", elasticity_policies=[{"type": "CHANGE"}])), "Mandatory document key 'adjust (integer)'"),
    ],
)
def test_a_document_of_another_shape_is_refused_with_oneflows_words(document: Any, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        validate_service(document)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ({"elasticity_policies": [{**ELASTIC, "expression": "A >"}]}, "elasticity policy #0 'expression' parse error"),
        ({"elasticity_policies": [{**ELASTIC, "expression": ""}]}, "'expression' cannot be empty"),
        ({"scheduled_policies": [{"type": "CHANGE", "adjust": 1}]}, "needs to define either 'start_time' or"),
        (
            {"scheduled_policies": [{"type": "CHANGE", "adjust": 1, "start_time": "1", "recurrence": "* * * * *"}]},
            "but not both",
        ),
        ({"scheduled_policies": [{"type": "CHANGE", "adjust": 1, "start_time": "noon"}]}, "is not a valid Time"),
        (
            {"scheduled_policies": [{"type": "CHANGE", "adjust": 1, "recurrence": "61 * * * *"}]},
            "'recurrence' is not a valid cron expression",
        ),
    ],
)
def test_a_wrong_policy_is_refused(policies: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        validate_service(_service(role("a", min_vms=0, max_vms=3, **policies)))
    assert message in str(caught.value)


def test_defaults_come_last_and_text_numbers_become_numbers() -> None:
    checked = validate_service(_service({"name": "a", "type": "vm", "template_id": "7"}))
    assert list(checked) == ["name", "roles", "deployment", "description"]
    assert checked["roles"] == [{"name": "a", "type": "vm", "template_id": 7, "cardinality": 0}]


def test_a_role_alone_is_checked_like_one_in_a_service() -> None:
    assert validate_role({"name": "a", "type": "vm", "template_id": 1})["cardinality"] == 0


def test_the_old_format_is_converted_only_where_every_role_has_it() -> None:
    old = {
        "name": "a",
        "vm_template": "3",
        "vm_template_contents": 'CPU="2"\nNIC=[NETWORK_ID="1"]\nNIC=[NETWORK_ID="2"]',
    }
    body = {"roles": [dict(old)], "custom_attrs": {"K": "M|text|||"}}
    convert_old_format(body)
    contents = {"CPU": "2", "NIC": [{"NETWORK_ID": "1"}, {"NETWORK_ID": "2"}]}
    assert body == {
        "roles": [{"name": "a", "template_id": 3, "type": "vm", "template_contents": contents}],
        "user_inputs": {"K": "M|text|||"},
    }
    mixed: dict[str, Any] = {"roles": [dict(old), {"name": "b"}]}
    convert_old_format(mixed)
    assert mixed["roles"][0] == old


def test_a_vector_over_several_lines_is_one_vector() -> None:
    assert parse_contents('NIC=[\n  NAME="NIC0",\n  NETWORK_ID="$net"\n]') == {
        "NIC": [{"NAME": "NIC0", "NETWORK_ID": "$net"}]
    }


def test_roles_are_merged_by_name_and_nameless_ones_are_ignored() -> None:
    template = _service(role("a", 1), role("b", 1, template_contents={"CONTEXT": {"K": "1", "L": "2"}}))
    merge = {
        "roles": [{"name": "b", "cardinality": 4, "template_contents": {"CONTEXT": {"K": "9"}}}, {"cardinality": 7}]
    }
    merged = merged_for_instance(template, merge)
    assert [item["cardinality"] for item in merged["roles"]] == [1, 4]
    assert merged["roles"][1]["template_contents"] == {"CONTEXT": {"K": "9", "L": "2"}}


def test_values_of_networks_replace_the_templates_by_name() -> None:
    template = _service(networks_values=[{"a": {"id": "1"}}, {"b": {"id": "2"}}])
    merged = merged_for_instance(template, {"networks_values": [{"b": {"id": "9"}}, {"c": {"id": "3"}}]})
    assert merged["networks_values"] == [{"a": {"id": "1"}}, {"b": {"id": "9"}}, {"c": {"id": "3"}}]


def test_arrays_of_objects_lose_repetitions_when_they_are_joined() -> None:
    assert deep_merge({"a": [{"x": 1}]}, {"a": [{"x": 1}, {"y": 2}]}) == {"a": [{"x": 1}, {"y": 2}]}
    assert deep_merge({"a": [1]}, {"a": [1]}) == {"a": [1, 1]}


VMS = [
    {"ID": "1", "TEMPLATE": {"CONTEXT": {}, "NIC": [{"IP": "10.0.0.1"}, {"IP": "10.0.0.2"}]}},
    {"ID": "2", "TEMPLATE": {"CONTEXT": {"ETH0_IP": "10.0.0.9"}}},
]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${up.TEMPLATE.CONTEXT.ETH0_IP}:9092", "10.0.0.9:9092"),
        ("${up.template.nic.ip}", "10.0.0.1"),
        ("${up.ID}-${up.ID}", "1-1"),
        ("${up.NO.SUCH}|${stranger.ID}|${up}", "||"),
        ("$plain ${", "$plain ${"),
    ],
)
def test_references_are_replaced_by_what_the_first_vm_with_it_has(text: str, result: str) -> None:
    nested = {"A": [{"B": text}], "N": 5}
    assert substitute(nested, lambda name: VMS if name == "up" else None) == {"A": [{"B": result}], "N": 5}


@pytest.mark.parametrize(
    ("source", "outcome", "text"),
    [
        ("A > 1", True, "A[2.0] > 1"),
        ("A>1&B<1", False, "A[2.0] > 1 & B[--] < 1"),
        ("a >= 2 || B = 1", True, "A[2.0] >= 2 || B[--] = 1"),
        ("!(A <> 2.0)", True, "!(A[2.0] <> 2.0)"),
        ("!B > 0", True, "!B[--] > 0"),
        ("A > 1 & A > 5 | A > 1", True, "A[2.0] > 1 & A[2.0] > 5 | A[2.0] > 1"),
        ("A > -3", True, "A[2.0] > -3"),
        ("A == 2 && A != 3 && A <= 2", True, "A[2.0] == 2 && A[2.0] != 3 && A[2.0] <= 2"),
    ],
)
def test_expressions_are_evaluated_and_shown_as_oneflow_shows_them(source: str, outcome: bool, text: str) -> None:
    assert parse(source).evaluate({"A": 2.0}.get) == (outcome, text)


def test_what_follows_an_operator_is_taken_whole() -> None:
    values = {"A": 0.0, "B": 0.0, "C": 5.0}
    assert parse("A > 1 & B > 1 | C > 1").evaluate(values.get)[0] is False
    assert parse("C > 1 | A > 1 & B > 1").evaluate(values.get)[0] is True


@pytest.mark.parametrize("source", ["", "A", "A >", "> 1", "(A > 1", "A > 1)", "A > 1 B", "A ~ 1", "A > 1 &", "1"])
def test_what_is_no_expression_is_refused_with_its_place(source: str) -> None:
    with pytest.raises(ExpressionError, match="column"):
        parse(source)


@pytest.mark.parametrize(
    "source", ["(" * 5000 + "A > 1" + ")" * 5000, "!" * 5000 + "A > 1", "A > 1 & " * 5000 + "A > 1"]
)
def test_an_expression_of_conditions_without_end_is_refused_and_one_of_a_hundred_is_none(source: str) -> None:
    with pytest.raises(ExpressionError, match="no more than 100 conditions"):
        parse(source)
    assert parse("A > 1 & " * 99 + "A > 1").evaluate({"A": 2.0}.get)[0]


@pytest.mark.parametrize(
    ("cron", "after", "due"),
    [
        ("0 0 * * *", "2026-11-24T10:00:00", "2026-11-25T00:00:00"),
        ("*/15 9-17 * * mon-fri", "2026-11-27T17:45:00", "2026-11-30T09:00:00"),
        ("30 6 1 jan,jul *", "2026-11-24T00:00:00", "2027-01-01T06:30:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 13 * 5", "2026-11-24T00:00:00", "2026-11-27T00:00:00"),
        ("0 12 * * 7", "2026-11-24T00:00:00", "2026-11-29T12:00:00"),
    ],
)
def test_the_next_time_of_a_cron_expression(cron: str, after: str, due: str) -> None:
    schedule = recurrence.Recurrence.parse(cron)
    assert schedule.next_after_s(recurrence.instant_s(after)) == recurrence.instant_s(due)


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "60 * * * *", "* * 0 * *", "* * * 13 *", "x * * * *", "5-1 * * * *", "*/0 * * * *"]
)
def test_a_wrong_cron_expression_is_refused(cron: str) -> None:
    with pytest.raises(ValueError):
        recurrence.Recurrence.parse(cron)


def test_a_date_that_never_comes_is_refused() -> None:
    with pytest.raises(ValueError, match="no such date"):
        recurrence.Recurrence.parse("0 0 31 2 *").next_after_s(0)


def test_empty_containers_are_printed_as_ruby_prints_them() -> None:
    assert pretty({"a": [], "b": {}, "c": ["é", 1.5, None, True]}) == (
        '{\n  "a": [\n\n  ],\n  "b": {\n  },\n  "c": [\n    "é",\n    1.5,\n    null,\n    true\n  ]\n}'
    )


@pytest.mark.parametrize(("value", "number"), [(None, 0), ("12x", 12), ("-3", -3), ("", 0), ("x", 0), (2.9, 2)])
def test_numbers_are_read_as_ruby_reads_them(value: Any, number: int) -> None:
    assert whole_number(value) == number


def test_states_of_vms_mean_what_pyone_calls_them() -> None:
    failures = {state.value for state in pyone.LCM_STATE if state.name.endswith("_FAILURE")}
    assert failures == LCM_FAILURES
    names = {state.name: condition_of(state.value, 0) for state in pyone.VM_STATE if state.name != "ACTIVE"}
    assert names == {
        "INIT": Condition.BUSY,
        "PENDING": Condition.BUSY,
        "HOLD": Condition.HELD,
        "STOPPED": Condition.PARKED,
        "SUSPENDED": Condition.PARKED,
        "DONE": Condition.GONE,
        "FAILED": Condition.FAILED,
        "POWEROFF": Condition.POWEROFF,
        "UNDEPLOYED": Condition.PARKED,
        "CLONING": Condition.BUSY,
        "CLONING_FAILURE": Condition.FAILED,
    }
    active = pyone.VM_STATE.ACTIVE.value
    assert condition_of(active, pyone.LCM_STATE.RUNNING.value) is Condition.RUNNING
    assert condition_of(active, pyone.LCM_STATE.UNKNOWN.value) is Condition.UNKNOWN
    assert condition_of(active, pyone.LCM_STATE.BOOT.value) is Condition.BUSY


def test_services_and_roles_share_the_names_of_their_first_eleven_states() -> None:
    shared = [state.name for state in ServiceState][:11]
    assert [state.name for state in RoleState] == [*shared, "HOLD"]
