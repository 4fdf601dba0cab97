"""The provider as the engine calls it, against a zone that answers from a script and notes every call."""

from __future__ import annotations

import asyncio
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2, status_pb2
from urllib3.exceptions import InsecureRequestWarning

from pulumi_opennebula.errors import (
    CancelledError,
    ConfigurationError,
    FailedObjectError,
    InputError,
    NotFoundError,
    OpenNebulaError,
    RefusedError,
)
from pulumi_opennebula.provider import engine
from pulumi_opennebula.provider.engine import OpenNebulaProvider, PartialError
from pulumi_opennebula.provider.plugin import partial_status
from pulumi_opennebula.provider.settings import ZoneSettings
from pulumi_opennebula.provider.templates import Body, body_of
from pulumi_opennebula.provider.values import FAILED, UNREAD, plain, wrapped
from pulumi_opennebula.provider.waiting import PoolWatch
from pulumi_opennebula.provider.zone import Zone
from tests.patience import PATIENCE_S

TYPE = "opennebula:index/{}:{}"
IMAGE_XML = (
    "<IMAGE><ID>4</ID><UID>0</UID><GID>0</GID><UNAME>oneadmin</UNAME><GNAME>oneadmin</GNAME><NAME>a</NAME>"
    "<PERMISSIONS><OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M></PERMISSIONS><TYPE>2</TYPE><PERSISTENT>0</PERSISTENT>"
    "<PATH/><FORMAT>raw</FORMAT><SIZE>16</SIZE><STATE>{}</STATE><DATASTORE_ID>1</DATASTORE_ID><TEMPLATE/></IMAGE>"
)
READS = {"info", "infoextended", "version"}
GOOD = {"endpoint": "http://127.0.0.1:2633/RPC2", "username": "a", "password": "b"}


class ScriptedOned:
    """oned that answers each method with a value, an error, or what a function says."""

    def __init__(self, script: dict[str, Any]) -> None:
        self.script = {"system.version": "7.0.1", "user.info": "<USER/>", **script}
        self.called: list[tuple[Any, ...]] = []
        self.moved = asyncio.Event()

    async def call(self, method: str, *arguments: Any) -> Any:
        self.called.append((method, *arguments))
        self.moved.set()
        await asyncio.sleep(0)
        found = self.script[method]
        if isinstance(found, Callable):  # type: ignore[arg-type]
            found = found(*arguments)
        if isinstance(found, Exception):
            raise found
        return found

    async def info(self, method: str, *arguments: Any) -> Body:
        return body_of(str(await self.call(method, *arguments)))

    async def asked(self, method: str) -> None:
        """Come back after the method was called."""
        while not any(call[0] == method for call in self.called):
            self.moved.clear()
            await self.moved.wait()

    @property
    def changed(self) -> list[str]:
        """Methods called that change something."""
        return [str(call[0]) for call in self.called if str(call[0]).rsplit(".", 1)[1] not in READS]


def not_found() -> NotFoundError:
    return NotFoundError("one.image", "it must be there", "oned answered: Error getting image [4].", "Check the id")


def urn(kind: str) -> str:
    return f"urn:pulumi:test::project::{TYPE.format(kind[0].lower() + kind[1:], kind)}::x"


async def configured(script: dict[str, Any], **values: Any) -> tuple[OpenNebulaProvider, ScriptedOned, list[str]]:
    oned = ScriptedOned(script)
    lines: list[str] = []

    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    def make_zone(settings: ZoneSettings) -> Zone:
        return Zone(settings, oned=oned, pause=at_once)  # type: ignore[arg-type]

    provider = OpenNebulaProvider(environment={}, progress=lambda _, line: lines.append(line), make_zone=make_zone)
    await provider.configure(sdk.ConfigureRequest({}, wrapped(GOOD | values, frozenset()), True, True))
    return provider, oned, lines


def create(kind: str, inputs: dict[str, Any], *, preview: bool = False, secret: str = "") -> sdk.CreateRequest:
    marked = frozenset({tuple(secret.split("."))} if secret else ())
    return sdk.CreateRequest(urn(kind), wrapped(inputs, marked), 0, preview)


async def test_configuring_asks_the_zone_read_only_and_refuses_outputs() -> None:
    provider, oned, _ = await configured({})
    assert [call[0] for call in oned.called] == ["system.version", "user.info"]
    answer = await provider.configure(sdk.ConfigureRequest({}, wrapped(GOOD, frozenset()), True, True))
    assert (answer.accept_secrets, answer.accept_outputs, answer.supports_preview) == (True, False, True)


@pytest.mark.parametrize(("scheme", "lines"), [("https", 1), ("http", 0)])
async def test_unverified_certificates_are_told_once_and_not_with_every_request(
    caplog: pytest.LogCaptureFixture, scheme: str, lines: int
) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        await configured({}, endpoint=f"{scheme}://127.0.0.1:2633/RPC2", insecure=True)
        warnings.warn("Unverified HTTPS request", InsecureRequestWarning, stacklevel=1)
    assert seen == []
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == lines
    assert all("opennebula:insecure is true" in line and "Set opennebula:caFile" in line for line in said)


async def test_wrong_settings_are_check_failures_and_unknown_ones_wait() -> None:
    provider = OpenNebulaProvider(environment={})
    failed = await provider.check_config(sdk.CheckRequest("", {}, wrapped({**GOOD, "endpoint": "x"}, frozenset()), b""))
    assert failed.failures is not None
    assert [(failure.property, "http or https URL" in failure.reason) for failure in failed.failures] == [
        ("endpoint", True)
    ]
    unknown = {**wrapped(GOOD, frozenset()), "endpoint": PropertyValue(rpc.UNKNOWN)}
    assert (await provider.check_config(sdk.CheckRequest("", {}, unknown, b""))).failures == []


async def test_settings_of_the_environment_do_not_get_into_the_state() -> None:
    provider = OpenNebulaProvider(
        environment={"OPENNEBULA_ENDPOINT": "http://a/RPC2", "OPENNEBULA_USERNAME": "a", "OPENNEBULA_PASSWORD": "hush"}
    )
    answer = await provider.check_config(sdk.CheckRequest("", {}, {}, b""))
    assert answer.inputs == {} and answer.failures == []


async def test_using_a_provider_that_was_not_configured_is_an_error_of_this_package() -> None:
    with pytest.raises(ConfigurationError, match="must be configured"):
        OpenNebulaProvider(environment={}).zone.cancel()


async def test_a_resource_without_a_name_gets_the_programs() -> None:
    provider, _, _ = await configured({})
    request = sdk.CheckRequest(urn("Image"), {}, wrapped({"datastoreId": 1, "size": 1}, frozenset()), b"")
    answer = await provider.check(request)
    assert answer.inputs is not None
    assert plain(answer.inputs)[0]["name"] == "x"


@pytest.mark.parametrize(
    "inputs",
    [
        {"graphics": {"type": "VNC", "listen": "0.0.0.0", "passwd": "hush\\"}},
        {"graphics": [{"type": "VNC", "listen": "0.0.0.0", "passwd": "hush"}]},
        {"context": {"FL_SERVER_KEY": "-----BEGIN PRIVATE KEY-----\r\nhush"}},
        {"templateSections": [{"name": "P", "elements": {"PASSWORD": "hush\r"}}]},
    ],
    ids=["a value that cannot be sent", "a list where an object belongs", "a key by its name", "a section"],
)
async def test_a_password_that_the_program_did_not_mark_is_not_shown_where_it_is_refused(inputs: Any) -> None:
    provider, _, _ = await configured({})
    given = wrapped({"name": "a", **inputs}, frozenset())
    answer = await provider.check(sdk.CheckRequest(urn("Template"), {}, given, b""))
    (failure,) = answer.failures or []
    assert "[secret]" in failure.reason and "hush" not in failure.reason


async def test_default_tags_that_a_type_cannot_have_are_refused_with_the_setting_to_change() -> None:
    provider, _, _ = await configured({}, defaultTags=[{"tags": {"Description": "x", "team": "y"}}])
    for kind, inputs in (("Template", {}), ("ServiceTemplate", {"template": '{"roles": [{"name": "a"}]}'})):
        answer = await provider.check(sdk.CheckRequest(urn(kind), {}, wrapped(inputs, frozenset()), b""))
        said = [failure.reason for failure in answer.failures or [] if "defaultTags" in failure.reason]
        assert len(said) == (1 if kind == "Template" else 0)
        assert all("Rename Description in the provider's defaultTags" in reason for reason in said)


async def test_a_preview_of_anything_changes_nothing() -> None:
    provider, oned, _ = await configured({})
    oned.called.clear()
    made = await provider.create(create("Image", {"name": "a", "datastoreId": 1, "size": 16}, preview=True))
    state, _ = plain(made.properties)
    assert made.resource_id is None
    assert state["size"] == 16
    assert repr(state["imageId"]) == "<known after the update>"
    old = {**state, "imageId": "4", "gid": 0}
    request = sdk.UpdateRequest(
        urn("Image"), "4", wrapped(old, frozenset()), wrapped({"name": "b", "datastoreId": 1}, frozenset()), 0, [], True
    )
    assert plain((await provider.update(request)).properties)[0]["imageId"] == "4"
    assert oned.called == []


async def test_a_new_object_is_waited_for_and_its_state_is_what_the_cloud_has() -> None:
    states = iter(["4", "4", "1", "1"])
    provider, oned, lines = await configured(
        {"image.allocate": 4, "image.info": lambda *_: IMAGE_XML.format(next(states))}
    )
    made = await provider.create(create("Image", {"name": "a", "datastoreId": 1, "type": "DATABLOCK", "size": 16}))
    assert made.resource_id == "4"
    state, _ = plain(made.properties)
    assert (state["imageId"], state["format"], state["gname"]) == ("4", "raw", "oneadmin")
    assert oned.changed == ["image.allocate"]
    assert lines == ["image a: waiting for the datastore"]


async def test_secrets_stay_secrets_in_the_state_of_a_new_object() -> None:
    body = "<VMTEMPLATE><ID>4</ID><NAME>a</NAME><TEMPLATE><CONTEXT><KEY>hush</KEY></CONTEXT></TEMPLATE></VMTEMPLATE>"
    provider, _, _ = await configured({"template.allocate": 4, "template.info": body})
    made = await provider.create(create("Template", {"name": "a", "context": {"key": "hush"}}, secret="context.key"))
    assert plain(made.properties)[1] == {("context", "key")}


async def test_an_object_that_fails_after_it_was_made_is_kept_and_marked_for_replacement() -> None:
    failing = IMAGE_XML.format("5").replace("<TEMPLATE/>", "<TEMPLATE><ERROR>disk is full</ERROR></TEMPLATE>")
    provider, _, _ = await configured({"image.allocate": 4, "image.info": failing})
    inputs = {"name": "a", "datastoreId": 1, "type": "DATABLOCK", "size": 16}
    with pytest.raises(PartialError, match="disk is full") as caught:
        await provider.create(create("Image", inputs))
    assert caught.value.id == "4"
    state, _ = plain(caught.value.properties)
    assert state[FAILED] is True
    diff = await provider.diff(
        sdk.DiffRequest(urn("Image"), "4", caught.value.properties, wrapped(inputs, frozenset()), [])
    )
    assert diff.replaces == ["imageId"]
    assert diff.delete_before_replace


async def test_an_object_whose_second_step_is_refused_is_kept_and_not_replaced() -> None:
    refused = RefusedError("one.image.chmod", "oned must accept", "no", "Change it", code=0x200, answer="no")
    provider, _, _ = await configured(
        {"image.allocate": 4, "image.info": IMAGE_XML.format("1"), "image.chmod": refused}
    )
    inputs = {"name": "a", "datastoreId": 1, "type": "DATABLOCK", "size": 16, "permissions": "640"}
    with pytest.raises(PartialError) as caught:
        await provider.create(create("Image", inputs))
    state, _ = plain(caught.value.properties)
    assert FAILED not in state
    assert state["permissions"] == "600"


async def test_a_secret_that_an_update_could_not_take_away_stays_a_secret() -> None:
    body = "<VMTEMPLATE><ID>4</ID><NAME>a</NAME><TEMPLATE><CONTEXT><KEY>hush</KEY></CONTEXT></TEMPLATE></VMTEMPLATE>"
    refused = RefusedError("one.template.update", "oned must accept", "no", "Change it", code=0x2000, answer="no")
    provider, _, _ = await configured({"template.info": body, "template.update": refused})
    old = wrapped({"name": "a", "context": {"key": "hush"}}, frozenset({("context", "key")}))
    new = wrapped({"name": "a", "context": {"ROLE": "x"}}, frozenset())
    with pytest.raises(PartialError) as caught:
        await provider.update(sdk.UpdateRequest(urn("Template"), "4", old, new, 0, [], False))
    state, marked = plain(caught.value.properties)
    assert state["context"] == {"key": "hush"}
    assert ("context", "key") in marked


async def test_an_object_is_in_the_state_also_where_the_provider_itself_fails_after_it_was_made() -> None:
    odd = "<VMTEMPLATE><ID>4</ID><NAME>a</NAME><REGTIME>hush</REGTIME><TEMPLATE/></VMTEMPLATE>"
    provider, _, _ = await configured({"template.allocate": 4, "template.info": odd, "template.update": 4})
    with pytest.raises(PartialError, match=r"ValueError at line \d+ of template\.py.*Report it") as caught:
        await provider.create(create("Template", {"name": "a"}))
    assert caught.value.id == "4"
    assert plain(caught.value.properties)[0] == {"name": "a", UNREAD: True}
    assert "hush" not in str(caught.value)
    inputs = wrapped({"name": "a", "description": "b"}, frozenset())
    with pytest.raises(PartialError, match="Report it"):
        await provider.update(sdk.UpdateRequest(urn("Template"), "4", inputs, inputs, 0, [], False))


@pytest.mark.parametrize(
    ("kind", "id_", "example"),
    [
        ("Image", "debian", "4"),
        ("Service", "", "4"),
        ("VirtualMachine", "-1", "4"),
        ("VirtualNetworkAddressRange", "0", "3:0"),
        ("ServiceContext", "7", "7:supernode"),
    ],
)
async def test_an_id_that_cannot_be_one_is_refused_with_what_it_must_be(kind: str, id_: str, example: str) -> None:
    provider, oned, _ = await configured({})
    oned.called.clear()
    with pytest.raises(InputError, match=rf"id of {kind} is '{id_}'.*give it as, for example, {example}\."):
        await provider.read(sdk.ReadRequest(urn(kind), id_, {}, {}))
    assert oned.called == []


async def test_an_object_that_was_refused_is_not_in_the_state() -> None:
    refused = RefusedError("one.image.allocate", "oned must accept", "no", "Change it", code=0x200, answer="no")
    provider, _, _ = await configured({"image.allocate": refused})
    with pytest.raises(RefusedError) as caught:
        await provider.create(create("Image", {"name": "a", "datastoreId": 1, "size": 16}))
    assert not isinstance(caught.value, PartialError)


async def test_a_pool_is_asked_only_for_the_range_of_those_who_wait() -> None:
    body = (
        "<IMAGE_POOL>" + "".join(IMAGE_XML.replace("<ID>4<", f"<ID>{n}<").format("1") for n in (7, 9)) + "</IMAGE_POOL>"
    )
    provider, oned, _ = await configured({"imagepool.info": body})

    async def wait(id_: str) -> None:
        await provider.zone.images.until(id_, bool, what=id_, timeout_s=PATIENCE_S, describe=str)

    await asyncio.gather(wait("9"), wait("7"))
    assert [call for call in oned.called if call[0] == "imagepool.info"] == [("imagepool.info", -2, 7, 9)]


async def test_cancelling_stops_the_waiting_and_keeps_the_object() -> None:
    provider, oned, _ = await configured({"image.allocate": 4, "image.info": IMAGE_XML.format("4")})
    making = asyncio.create_task(provider.create(create("Image", {"name": "a", "datastoreId": 1, "size": 16})))
    await oned.asked("image.info")
    await provider.cancel()
    with pytest.raises(PartialError, match="it asked to stop") as caught:
        await making
    assert caught.value.id == "4"


async def test_cancelling_does_not_wait_for_a_zone_that_has_stopped_answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "STOPPING_S", 0.01)
    provider, oned, _ = await configured({"image.allocate": 4, "image.info": IMAGE_XML.format("4")})
    making = asyncio.create_task(provider.create(create("Image", {"name": "a", "datastoreId": 1, "size": 16})))
    await oned.asked("image.info")
    answers, oned.info = oned.info, never_answers  # type: ignore[method-assign]
    await provider.cancel()
    with pytest.raises(PartialError, match="it asked to stop") as caught:
        await asyncio.wait_for(making, PATIENCE_S)
    assert caught.value.id == "4"
    assert plain(caught.value.properties)[0][UNREAD] is True
    oned.info = answers  # type: ignore[method-assign]


async def never_answers(method: str, *arguments: Any) -> Body:
    await asyncio.Event().wait()
    raise AssertionError


async def test_cancelling_reaches_every_pool_that_can_be_waited_for() -> None:
    provider, _, _ = await configured({})
    watches = [found for found in vars(provider.zone).values() if isinstance(found, PoolWatch)]
    assert len(watches) == 5
    await provider.cancel()
    for watch in watches:
        with pytest.raises(CancelledError):
            await watch.until("4", lambda found: True, what="an object", timeout_s=5, describe=str)


async def test_the_engine_is_told_of_a_partial_object_in_its_own_words() -> None:
    cause = FailedObjectError("image", "it must be READY", "disk is full", "Free some")
    status = partial_status(PartialError(cause, "4", wrapped({"a": 1}, frozenset()), wrapped({"b": 2}, frozenset())))
    ((name, content),) = status.trailing_metadata
    detail = provider_pb2.ErrorResourceInitFailed()
    found = status_pb2.Status.FromString(content)
    assert name == "grpc-status-details-bin"
    assert found.details[0].Unpack(detail)
    assert (detail.id, list(detail.reasons)) == ("4", [str(cause)])
    assert detail.properties["a"] == 1
    assert detail.inputs["b"] == 2


async def test_a_vanished_object_is_read_as_nothing_and_deleted_as_done() -> None:
    provider, oned, _ = await configured({"image.info": not_found(), "image.delete": not_found()})
    state = wrapped({"name": "a", "datastoreId": 1}, frozenset())
    assert (await provider.read(sdk.ReadRequest(urn("Image"), "4", state, state))).resource_id is None
    await provider.delete(sdk.DeleteRequest(urn("Image"), "4", state, 0))
    assert oned.changed == ["image.delete"]


async def test_an_import_reads_everything_and_gives_inputs_without_ownership() -> None:
    provider, _, _ = await configured({"image.info": IMAGE_XML.format("1")})
    found = await provider.read(sdk.ReadRequest(urn("Image"), "4", {}, {}))
    assert plain(found.inputs)[0] == {
        "name": "a",
        "datastoreId": 1,
        "type": "DATABLOCK",
        "size": 16,
        "format": "raw",
    }


async def test_a_change_that_is_ignored_is_no_difference() -> None:
    provider, _, _ = await configured({})
    request = sdk.DiffRequest(
        urn("Image"), "4", wrapped({"size": 1}, frozenset()), wrapped({"size": 2}, frozenset()), ["size"]
    )
    assert (await provider.diff(request)).changes is False


async def test_an_unknown_type_or_function_is_refused_with_what_there_is() -> None:
    provider, _, _ = await configured({})
    with pytest.raises(OpenNebulaError, match=r"opennebula:index/host:Host.*must be one of"):
        await provider.create(create("Host", {}))
    with pytest.raises(OpenNebulaError, match=re.escape("getUser")):
        await provider.invoke(sdk.InvokeRequest("opennebula:index/getUser:getUser", {}))


async def test_a_function_with_bad_arguments_is_refused_before_anything_is_asked() -> None:
    provider, oned, _ = await configured({})
    oned.called.clear()
    token = "opennebula:index/getVirtualMachines:getVirtualMachines"
    answer = await provider.invoke(sdk.InvokeRequest(token, wrapped({"sortOn": "age"}, frozenset())))
    assert [failure.property for failure in answer.failures] == ["sortOn"]
    assert oned.called == []


async def test_machines_that_match_nothing_are_an_empty_list() -> None:
    provider, _, _ = await configured({"vmpool.infoextended": "<VM_POOL></VM_POOL>"})
    token = "opennebula:index/getVirtualMachines:getVirtualMachines"
    answer = await provider.invoke(sdk.InvokeRequest(token, wrapped({"nameRegex": "x"}, frozenset())))
    assert answer.return_value is not None
    assert plain(answer.return_value)[0]["virtualMachines"] == []
