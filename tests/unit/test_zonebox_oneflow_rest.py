"""OneFlow's routes beyond the recorded ones: actions, updates, clones, refusals and their codes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.zonebox_services_support import Bench, basic_auth, role
from zonebox.oneflow.http import create_app


class Flow:
    """A client of OneFlow."""

    def __init__(self, bench: Bench, client: TestClient[Any, Any]) -> None:
        self.bench = bench
        self.client = client

    async def __call__(self, method: str, path: str, body: Any = None, *, user: str = "oneadmin") -> tuple[int, str]:
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        response = await self.client.request(method, path, data=data, headers=basic_auth(user))
        return response.status, await response.text()

    async def document(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The DOCUMENT of an answer that must be a success."""
        status, text = await self(method, path, body)
        assert status in {200, 201}, text
        document: dict[str, Any] = json.loads(text)["DOCUMENT"]
        return document

    async def action(self, path: str, perform: str, params: Any = None) -> tuple[int, str]:
        """Perform an action."""
        return await self("POST", f"{path}/action", {"action": {"perform": perform, "params": params}})

    async def template(self, *roles: dict[str, Any], **service: Any) -> str:
        """The path of a new service template."""
        body = {"name": "t", "roles": list(roles or [role("a")]), **service}
        return "/service_template/" + str((await self.document("POST", "/service_template", body))["ID"])

    async def service(self, *roles: dict[str, Any], **service: Any) -> str:
        """The path of a new, running service."""
        template = await self.template(*roles, **service)
        status, text = await self.action(template, "instantiate", {})
        assert status == 201, text
        self.bench.id = int(json.loads(text)["DOCUMENT"]["ID"])
        await self.bench.until("RUNNING")
        return f"/service/{self.bench.id}"


@pytest.fixture
async def flow() -> AsyncIterator[Flow]:
    bench = Bench()
    async with TestClient(TestServer(create_app(bench.zone))) as client:
        yield Flow(bench, client)


async def test_a_template_is_replaced_and_keeps_its_registration_time(flow: Flow) -> None:
    path = await flow.template()
    before = (await flow.document("GET", path))["TEMPLATE"]["BODY"]
    after = await flow.document("PUT", path, {"name": "t", "description": "new", "roles": [role("b")]})
    assert after["TEMPLATE"]["BODY"]["roles"][0]["name"] == "b"
    assert after["TEMPLATE"]["BODY"]["registration_time"] == before["registration_time"]
    status, text = await flow("PUT", path, {"name": "t", "roles": [role("b")], "registration_time": 1})
    assert (status, text) == (500, "Immutable value: `service_template/registration_time` can not be changed")


async def test_a_template_can_be_added_to_through_an_action(flow: Flow) -> None:
    path = await flow.template()
    addition = {"template_json": json.dumps({"description": "more"}), "append": True}
    assert await flow.action(path, "update", addition) == (204, "")
    body = (await flow.document("GET", path))["TEMPLATE"]["BODY"]
    assert (body["description"], body["roles"][0]["name"]) == ("more", "a")


async def test_a_template_is_cloned_under_another_name_and_not_recursively(flow: Flow) -> None:
    path = await flow.template()
    status, text = await flow.action(path, "clone", {"name": "copy", "recursive": "none"})
    copy = json.loads(text)["DOCUMENT"]
    assert (status, copy["NAME"], copy["TEMPLATE"]["BODY"]["roles"][0]["name"]) == (201, "copy", "a")
    status, text = await flow.action(path, "clone", {"name": "deep", "recursive": "all"})
    assert status == 500
    assert "recursive all" in text


async def test_a_delete_that_would_take_vm_templates_too_is_refused(flow: Flow) -> None:
    path = await flow.template()
    status, text = await flow("DELETE", path, {"delete_type": "all"})
    assert (status, "delete_type all" in text) == (500, True)
    assert await flow("DELETE", path, {"delete_type": "none"}) == (204, "")


async def test_small_actions_on_a_missing_template_are_answered_as_by_a_real_front_end(flow: Flow) -> None:
    assert await flow.action("/service_template/77", "rename", {"name": "x"}) == (204, "")
    assert await flow.action("/service_template/77", "nope") == (200, "")
    assert (await flow.action("/service_template/77", "instantiate"))[0] == 404


async def test_a_chown_without_a_group_gives_the_template_to_group_0_as_on_a_real_front_end(flow: Flow) -> None:
    path = await flow.template()
    await flow.action(path, "chgrp", {"group_id": 1})
    await flow.action(path, "chown", {"owner_id": 1})
    document = await flow.document("GET", path)
    assert (document["UNAME"], document["GNAME"]) == ("serveradmin", "oneadmin")


async def test_a_service_is_not_a_template_and_the_other_way_round(flow: Flow) -> None:
    template = await flow.template()
    service = await flow.service()
    assert (await flow("GET", template.replace("_template", "")))[0] == 404
    assert (await flow("GET", service.replace("service", "service_template")))[0] == 404


async def test_networks_take_their_defaults_from_the_template(flow: Flow) -> None:
    path = await flow.template(networks={"net": "M|network|text||id:4"})
    status, text = await flow.action(path, "instantiate", {})
    assert status == 201
    assert json.loads(text)["DOCUMENT"]["TEMPLATE"]["BODY"]["networks_values"] == [{"net": {"id": "4"}}]


@pytest.mark.parametrize(
    ("service", "merge", "message"),
    [
        ({"networks": {"n": "M|network"}}, {}, "Wrong networks format"),
        (
            {"networks": {"n": "M|network|||id:1", "m": "M|network|||id:1"}},
            {"networks_values": [{"n": {"id": "1"}}]},
            "Every network key must have its value defined at networks_value",
        ),
        ({"networks": {"n": "M|network|||id:1"}}, {"networks_values": ["n"]}, "Wrong networks_values format"),
        (
            {"user_inputs": {"K": "M|text|||"}},
            {},
            "The Service template specifies User Inputs but no values have been found",
        ),
        (
            {"user_inputs": {"K": "M|text|||"}},
            {"user_inputs_values": {"L": "1"}},
            "Verify that every User Input have its corresponding value defined",
        ),
    ],
)
async def test_missing_values_are_refused_at_instantiation(
    flow: Flow, service: dict[str, Any], merge: dict[str, Any], message: str
) -> None:
    path = await flow.template(**service)
    assert await flow.action(path, "instantiate", {"merge_template": merge}) == (400, message)


async def test_a_merged_template_that_breaks_the_schema_is_an_internal_error_as_on_a_real_front_end(flow: Flow) -> None:
    path = await flow.template(role("a", 1, max_vms=2))
    merge = {"roles": [{"name": "a", "cardinality": 5}]}
    status, text = await flow.action(path, "instantiate", {"merge_template": merge})
    assert (status, text) == (500, "Role 'a' 'cardinality' must be lower than or equal to 'max_vms'")


async def test_a_service_is_changed_by_its_actions(flow: Flow) -> None:
    path = await flow.service()
    for perform, params in (
        ("rename", {"name": "other"}),
        ("chmod", {"octet": "640"}),
        ("chown", {"owner_id": 2}),
        ("chgrp", {"group_id": 1}),
    ):
        assert await flow.action(path, perform, params) == (204, "")
    document = await flow.document("GET", path)
    assert (document["NAME"], document["UNAME"], document["GNAME"]) == ("other", "alice", "users")
    assert document["PERMISSIONS"]["GROUP_U"] == "1"


@pytest.mark.parametrize(
    ("perform", "message"),
    [
        ("rename", "Action rename: You have to specify a name"),
        ("chmod", "Action chmod: You have to specify an OCTET"),
        ("chown", "Action chown: You have to specify a UID"),
        ("chgrp", "Action chgrp: You have to specify a GID"),
        ("release", "Service has no roles in HOLD"),
        ("recover", "Service cannot be recovered in state: RUNNING"),
        ("nope", "Action nope not supported"),
        ("poweroff", '{"message":"Internal server error","reason":"undefined method `[]\' for nil:NilClass"}'),
    ],
)
async def test_an_action_without_what_it_needs_is_refused(flow: Flow, perform: str, message: str) -> None:
    assert await flow.action(await flow.service(), perform) == (500, message)


async def test_recover_with_delete_ends_a_service_in_any_state(flow: Flow) -> None:
    path = await flow.service()
    await flow("POST", f"{path}/scale", {"role_name": "a", "cardinality": 2, "force": False})
    assert (await flow("DELETE", path))[0] == 500
    assert await flow.action(path, "recover", {"delete": True}) == (204, "")
    await flow.bench.until("gone")


async def test_actions_are_scheduled_on_a_role_and_on_a_service(flow: Flow) -> None:
    path = await flow.service(role("a", 2), role("b"))
    assert await flow.action(f"{path}/role/a", "poweroff", {"number": 5}) == (204, "")
    assert "_zonebox" not in (await flow.document("GET", path))["TEMPLATE"]["BODY"]
    assert "_zonebox" not in (await flow("GET", "/service"))[1]
    await flow.bench.step()
    assert [call[2] for call in flow.bench.vms.calls if call[0] == "poweroff"] == [0, 1]
    assert await flow.action(f"{path}/role/z", "poweroff", {}) == (500, "Role 'z' not found")
    assert await flow.action(path, "resume", {"number": 5}) == (204, "")


async def test_roles_are_added_and_removed(flow: Flow) -> None:
    path = await flow.service()

    async def act(perform: str, new_role: Any) -> tuple[int, str]:
        body = {"action": {"perform": perform, "params": {"role": new_role}}}
        return await flow("POST", f"{path}/role_action", body)

    assert await act("add_role", json.dumps(role("b"))) == (204, "")
    await flow.bench.until("RUNNING")
    assert await act("remove_role", "b") == (204, "")
    await flow.bench.until("RUNNING")
    assert (await act("add_role", {"name": "c-d", "type": "vm"}))[0] == 400
    assert await act("swap_role", "b") == (500, "Action swap_role not supported")


async def test_a_service_is_updated_whole_or_in_part(flow: Flow) -> None:
    path = await flow.service()
    body = (await flow.document("GET", path))["TEMPLATE"]["BODY"]
    assert await flow("PUT", path, {**body, "description": "new"}) == (204, "")
    assert await flow("PUT", path, {"append": True, "template": json.dumps({"extra": 1})}) == (204, "")
    after = (await flow.document("GET", path))["TEMPLATE"]["BODY"]
    assert (after["description"], after["extra"]) == ("new", 1)
    assert await flow("PUT", path, {"append": True}) == (400, "Missing template to append")
    assert (await flow("PUT", path, {"name": "x"}))[0] == 400


async def test_a_user_sees_the_own_documents_only(flow: Flow) -> None:
    path = await flow.service()
    status, text = await flow("GET", path, user="alice")
    assert (status, text.startswith("[one.document.info] User [2]")) == (401, True)


async def test_empty_pools_have_no_documents(flow: Flow) -> None:
    for path in ("/service", "/service_template"):
        assert await flow("GET", path) == (200, '{\n  "DOCUMENT_POOL": {\n  }\n}')


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"action": 1}'])
async def test_an_action_that_is_no_action_is_an_internal_error(flow: Flow, body: str) -> None:
    path = await flow.service()
    status, text = await flow("POST", f"{path}/action", body)
    assert (status, json.loads(text)["message"]) == (500, "Internal server error")


@pytest.mark.parametrize(("cardinality", "status"), [("3", 204), (None, 500), ([], 500), ("x", 500)])
async def test_a_cardinality_is_read_as_ruby_reads_numbers(flow: Flow, cardinality: Any, status: int) -> None:
    path = await flow.service(role("a", 1, min_vms=1))
    body = {"role_name": "a", "cardinality": cardinality, "force": False}
    assert (await flow("POST", f"{path}/scale", body))[0] == status


async def test_malformed_credentials_are_no_credentials(flow: Flow) -> None:
    for header in ("Basic !!", "Bearer x", ""):
        response = await flow.client.get("/service", headers={"Authorization": header})
        assert (response.status, await response.text()) == (401, "A username and password must be provided")
