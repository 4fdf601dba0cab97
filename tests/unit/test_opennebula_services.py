"""OneFlow documents and services: what means the same, what scales, what replaces, and when a service runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pulumi_opennebula.errors import FailedObjectError
from pulumi_opennebula.provider.diffs import Change, changes
from pulumi_opennebula.provider.resources import documents, service, service_states
from pulumi_opennebula.provider.resources.service import ServiceHandler
from pulumi_opennebula.provider.resources.service_template import ServiceTemplateHandler, properties
from pulumi_opennebula.provider.values import IMPORTED, UNKNOWN, Values
from tests.opennebula_data import document, posted

POSTED = posted()
NETWORKS = {"networks_values": [{"fl": {"id": "1"}}]}


def extra(size: int | None = None, role: str = "supernode", **rest: Any) -> str:
    roles = [] if size is None else [{"name": role, "cardinality": size}]
    return json.dumps({**rest, **({"roles": roles} if roles else {})})


def replaced(old: Values, new: Values) -> dict[str, bool]:
    handler = ServiceHandler()
    found: list[Change] = handler.refine(changes(handler.definition.record, old, new), old, new)
    return {str(change.path[0]): change.replace for change in found}


@pytest.mark.parametrize("sample", POSTED, ids=[item["request"].get("name", "") for item in POSTED])
def test_what_oneflow_made_of_a_template_means_what_was_posted(sample: dict[str, Any]) -> None:
    program = json.dumps(sample["request"])
    assert documents.same_template(program, json.dumps(sample["document"]["TEMPLATE"]["BODY"]))
    state = properties(sample["document"], {"template": program})
    assert state["template"] == program
    imported = properties(sample["document"], None)
    handler = ServiceTemplateHandler()
    new = {"name": state["name"], "template": program}
    assert handler.refine(changes(handler.definition.record, imported, new), imported, new) == []


def test_a_change_behind_the_programs_back_is_seen() -> None:
    sample = POSTED[-1]
    body = json.loads(json.dumps(sample["document"]))
    body["TEMPLATE"]["BODY"]["roles"][0]["cardinality"] = 9
    assert properties(body, {"template": json.dumps(sample["request"])})["template"] != json.dumps(sample["request"])


def test_another_description_or_order_of_roles_is_a_difference() -> None:
    role = {"name": "a", "template_id": 1}
    other = {"name": "b", "template_id": 1}
    assert not documents.same_template(json.dumps({"roles": [role, other]}), json.dumps({"roles": [other, role]}))
    assert not documents.same_template(json.dumps({"roles": [role]}), json.dumps({"roles": [role], "description": "d"}))
    assert not documents.same_template("{", "[")


def test_roles_are_posted_with_a_type_and_under_the_resources_name() -> None:
    body = documents.request_body(json.dumps({"name": "x", "roles": [{"name": "a", "vm_template": 7}]}), "mine")
    assert body == {"name": "mine", "roles": [{"type": "vm", "name": "a", "vm_template": 7}]}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (extra(2), extra(3), {"extraTemplate": False}),
        (extra(2, **NETWORKS), extra(3, **NETWORKS), {"extraTemplate": False}),
        (None, extra(3), {"extraTemplate": False}),
        (extra(2), None, {"extraTemplate": False}),
        (extra(2), extra(3, **NETWORKS), {"extraTemplate": True}),
        (extra(2, **NETWORKS), extra(2), {"extraTemplate": True}),
        (extra(2), extra(2, description="x"), {"extraTemplate": True}),
        (
            json.dumps({"roles": [{"name": "a", "cardinality": 1, "min_vms": 1}]}),
            extra(1, "a"),
            {"extraTemplate": True},
        ),
        (extra(2), " " + extra(2), {}),
        (extra(2), UNKNOWN, {"extraTemplate": False}),
    ],
)
def test_only_cardinalities_scale_in_place(old: Any, new: Any, expected: dict[str, bool]) -> None:
    assert replaced({"templateId": 1, "extraTemplate": old}, {"templateId": 1, "extraTemplate": new}) == expected


def test_another_service_template_replaces() -> None:
    assert replaced({"templateId": 1}, {"templateId": 2}) == {"templateId": True}


def test_an_imported_service_differs_only_where_its_roles_have_other_sizes() -> None:
    old = {IMPORTED: True, "templateId": None, "roles": [{"name": "supernode", "cardinality": 2}]}
    assert replaced(old, {"templateId": 7, "extraTemplate": extra(2, **NETWORKS)}) == {}
    assert replaced(old, {"templateId": 7, "extraTemplate": extra(3, **NETWORKS)}) == {"extraTemplate": False}


def test_a_running_service_shows_roles_networks_and_nodes() -> None:
    found = service.properties(document("service_running"), {"templateId": 4, "extraTemplate": extra(4, **NETWORKS)})
    assert found["roles"] == [
        {"name": "superlink", "cardinality": 1, "nodes": [7], "state": 2},
        {"name": "supernode", "cardinality": 4, "nodes": [8, 9, 11, 12], "state": 2},
    ]
    assert found["networks"] == {"fl": 1}
    assert (found["state"], found["templateId"]) == (2, 4)


def test_a_size_changed_by_hand_is_drift_and_one_that_elasticity_changed_is_none() -> None:
    running = document("service_running")
    role = running["TEMPLATE"]["BODY"]["roles"][1]
    assert service.properties(running, {"extraTemplate": extra(2)})["extraTemplate"] == extra(2)
    del role["elasticity_policies"]
    assert json.loads(service.properties(running, {"extraTemplate": extra(2)})["extraTemplate"]) == json.loads(extra(4))


def test_a_service_is_waited_for_until_it_runs_with_its_roles_reported_once() -> None:
    lines: list[str] = []
    decide = service_states.running(lines.append)
    assert not decide(document("service_deploying"))
    assert not decide(document("service_deploying"))
    assert decide(document("service_running"))
    assert lines == [
        "DEPLOYING: role a: 1 of 1 running; role b: deploying, 1 of 1 VMs",
        "RUNNING: role superlink: 1 of 1 running; role supernode: 4 of 4 running",
    ]


def test_scaling_is_over_only_when_the_role_has_its_size() -> None:
    decide = service_states.running(lambda line: None, role="supernode", size=5)
    assert not decide(document("service_scaling"))
    assert not decide(document("service_running"))
    assert service_states.running(lambda line: None, role="supernode", size=4)(document("service_running"))


def test_a_failed_service_is_an_error_with_what_oneflow_logged() -> None:
    with pytest.raises(FailedObjectError) as caught:
        service_states.running(lambda line: None)(document("service_failed"))
    said = str(caught.value)
    assert "is FAILED_DEPLOYING" in said
    assert (
        "OneFlow logged: I: New state: DEPLOYING_NETS; I: New state: DEPLOYING; I: New state: FAILED_DEPLOYING" in said
    )
    assert "the next `pulumi up` recovers the service" in said


def test_a_warning_names_the_vm_as_what_to_mend() -> None:
    with pytest.raises(FailedObjectError, match=r"is WARNING.*Resume or remove the VM"):
        service_states.running(lambda line: None)(document("service_warning"))


def test_a_service_that_vanishes_while_it_is_waited_for_is_an_error() -> None:
    with pytest.raises(FailedObjectError, match="is gone"):
        service_states.running(lambda line: None)(None)


def test_the_template_of_an_imported_service_is_found_by_its_registration_time() -> None:
    running = document("service_running")
    templates = [item["document"] for item in POSTED]
    expected = [
        int(item["ID"])
        for item in templates
        if item["TEMPLATE"]["BODY"]["registration_time"] == running["TEMPLATE"]["BODY"]["registration_time"]
    ]
    assert len(expected) == 1
    assert service.template_of(running, templates) == expected[0]
    assert service.template_of(running, templates + templates) is None


def test_an_undeployment_that_failed_is_no_end() -> None:
    failed = document("service_failed")
    failed["TEMPLATE"]["BODY"]["state"] = 6
    with pytest.raises(FailedObjectError, match="FAILED_UNDEPLOYING"):
        service_states.is_gone(failed)
    failed["TEMPLATE"]["BODY"]["state"] = 5
    assert (
        service_states.is_gone(failed)
        and service_states.is_gone(None)
        and not service_states.is_gone(document("service_running"))
    )


def test_cardinalities_that_are_no_difference_leave_the_text_as_it_is() -> None:
    text = '{ "roles" : [ {"name": "a", "cardinality": 2} ] }'
    assert documents.with_cardinalities(text, {"a": 2, "b": 9}) is text
