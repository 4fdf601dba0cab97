"""What the provider answers the engine, with a SuperLink that only remembers what it was asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from pulumi.provider.experimental import provider as engine
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

from pulumi_flower.control import ControlClient, Node, NodeState
from pulumi_flower.errors import CallerError
from pulumi_flower.keys import NodeKey, parse_openssh
from pulumi_flower.provider import UNKNOWN as ANSWERED_UNKNOWN
from pulumi_flower.provider import FlowerProvider, read_schema, read_settings
from pulumi_flower.registration import RESOURCE_TYPE
from tests.flower_support import Authority, public_line

BIG_ID = 2**64 - 59
CA = Authority.make().pem
KEY = public_line()
UNKNOWN = PropertyValue.computed()


@dataclass
class RememberingSuperlink:
    """Stands in for ControlClient; what it does is compared with the real one in tests/integration."""

    nodes: dict[int, Node] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def register_node(self, key: NodeKey, name: str) -> int:
        self.calls.append(f"register {name}")
        node_id = BIG_ID + len(self.nodes)
        for known in self.nodes.values():
            if known.key == key:
                return known.node_id
        self.nodes[node_id] = Node(
            node_id=node_id,
            name=name,
            state=NodeState.REGISTERED,
            key=key,
            registered_at=datetime(2026, 11, 24, tzinfo=UTC),
            last_activated_at=None,
            last_deactivated_at=None,
            online_until=None,
        )
        return node_id

    def unregister_node(self, node_id: int) -> bool:
        self.calls.append(f"unregister {node_id}")
        return self.nodes.pop(node_id, None) is not None

    def find_node(self, node_id: int) -> Node | None:
        self.calls.append(f"find {node_id}")
        return self.nodes.get(node_id)


def urn(name: str) -> str:
    return f"urn:pulumi:central::flower-federation::{RESOURCE_TYPE}::{name}"


def values(**texts: str | PropertyValue) -> dict[str, PropertyValue]:
    return {name: text if isinstance(text, PropertyValue) else PropertyValue(text) for name, text in texts.items()}


def plain(properties: dict[str, PropertyValue] | None) -> dict[str, Any]:
    return {name: value.value for name, value in (properties or {}).items()}


async def configured(superlink: RememberingSuperlink) -> FlowerProvider:
    provider = FlowerProvider(lambda settings: cast(ControlClient, superlink))
    arguments = values(endpoint="127.0.0.1:9093", caCertificate=CA)
    await provider.configure(engine.ConfigureRequest({}, arguments, True, True))
    return provider


async def check(provider: FlowerProvider, new: dict[str, PropertyValue], old: dict[str, PropertyValue] | None = None):  # type: ignore[no-untyped-def]
    return await provider.check(engine.CheckRequest(urn("a"), old or {}, new, b""))


async def test_creating_registers_and_returns_an_id_that_no_float_has_touched() -> None:
    superlink = RememberingSuperlink()
    provider = await configured(superlink)
    inputs = values(name="berlin/supernode-0", publicKey=KEY)
    created = await provider.create(engine.CreateRequest(urn("a"), inputs, 0, False))
    assert created.resource_id == str(BIG_ID)
    assert plain(created.properties) == {
        "name": "berlin/supernode-0",
        "publicKey": KEY,
        "nodeId": str(BIG_ID),
        "fingerprint": parse_openssh(KEY).fingerprint,
    }


async def test_a_preview_of_a_new_node_asks_the_superlink_nothing_and_tells_the_fingerprint() -> None:
    superlink = RememberingSuperlink()
    provider = await configured(superlink)
    inputs = values(name="berlin/supernode-0", publicKey=KEY)
    created = await provider.create(engine.CreateRequest(urn("a"), inputs, 0, True))
    assert superlink.calls == []
    assert created.properties["nodeId"] == ANSWERED_UNKNOWN
    assert created.properties["fingerprint"].value == parse_openssh(KEY).fingerprint


async def test_a_preview_with_an_unknown_key_and_an_unknown_endpoint_succeeds() -> None:
    provider = FlowerProvider(lambda settings: pytest.fail("nothing may be connected to"))
    arguments = values(endpoint=UNKNOWN, caCertificate=UNKNOWN)
    await provider.configure(engine.ConfigureRequest({}, arguments, True, True))
    inputs = values(name="berlin/supernode-0", publicKey=UNKNOWN)
    checked = await check(provider, inputs)
    assert not checked.failures
    created = await provider.create(engine.CreateRequest(urn("a"), inputs, 0, True))
    assert created.properties["fingerprint"] == ANSWERED_UNKNOWN


@pytest.mark.parametrize("unknown", [UNKNOWN, ANSWERED_UNKNOWN], ids=["as an output", "as the engine's marker"])
async def test_an_unknown_value_goes_back_to_the_engine_as_its_marker(unknown: PropertyValue) -> None:
    provider = await configured(RememberingSuperlink())
    checked = await check(provider, values(name="berlin/supernode-0", publicKey=unknown))
    config = await provider.check_config(
        engine.CheckRequest(urn("p"), {}, values(endpoint=unknown, caCertificate=CA), b"")
    )
    for answer, name in ((checked, "publicKey"), (config, "endpoint")):
        assert not answer.failures
        assert PropertyValue.marshal_map(answer.inputs or {})[name] == rpc.UNKNOWN


async def test_registering_without_a_known_endpoint_is_refused_with_what_to_pass() -> None:
    provider = FlowerProvider(lambda settings: pytest.fail("nothing may be connected to"))
    inputs = values(name="berlin/supernode-0", publicKey=KEY)
    with pytest.raises(CallerError, match=r"pulumi_flower\.Provider"):
        await provider.create(engine.CreateRequest(urn("a"), inputs, 0, False))


async def test_a_wrong_input_is_a_failure_of_its_own_property() -> None:
    provider = await configured(RememberingSuperlink())
    wrong_name = await check(provider, values(name="supernode-0", publicKey=KEY))
    wrong_key = await check(provider, values(name="berlin/supernode-0", publicKey="ssh-ed25519 AAAA"))
    missing = await check(provider, values(name="berlin/supernode-0"))
    assert [failure.property for failure in wrong_name.failures or []] == ["name"]
    assert [failure.property for failure in wrong_key.failures or []] == ["publicKey"]
    assert [failure.property for failure in missing.failures or []] == ["publicKey"]


async def test_renaming_a_node_that_keeps_its_key_fails_the_check() -> None:
    provider = await configured(RememberingSuperlink())
    old = values(name="berlin/a", publicKey=KEY)
    answer = await check(provider, values(name="berlin/b", publicKey=f"{KEY} comment"), old)
    assert [failure.property for failure in answer.failures or []] == ["name"]


async def test_a_new_comment_is_no_change_and_a_new_key_replaces_without_deleting_first() -> None:
    provider = await configured(RememberingSuperlink())
    old = values(name="berlin/a", publicKey=KEY, nodeId=str(BIG_ID))
    commented = await check(provider, values(name="berlin/a", publicKey=f"{KEY} comment"))
    same = await provider.diff(engine.DiffRequest(urn("a"), str(BIG_ID), old, commented.inputs or {}, []))
    other = values(name="berlin/a", publicKey=public_line())
    new = await provider.diff(engine.DiffRequest(urn("a"), str(BIG_ID), old, other, []))
    assert (same.changes, same.replaces) == (False, [])
    assert (new.changes, new.replaces, new.delete_before_replace) == (True, ["publicKey"], False)
    assert new.detailed_diff["publicKey"].kind is engine.PropertyDiffKind.UPDATE_REPLACE


async def test_a_secret_input_stays_secret_in_the_outputs() -> None:
    provider = await configured(RememberingSuperlink())
    inputs = values(name="berlin/a", publicKey=PropertyValue(KEY, is_secret=True))
    checked = await check(provider, inputs)
    created = await provider.create(engine.CreateRequest(urn("a"), checked.inputs or {}, 0, False))
    assert created.properties["publicKey"].is_secret


async def test_a_node_that_vanished_reads_as_nothing() -> None:
    provider = await configured(RememberingSuperlink())
    answer = await provider.read(engine.ReadRequest(urn("a"), str(BIG_ID), {}, {}))
    assert answer.resource_id is None
    assert answer.properties == {}


async def test_an_import_by_node_id_finds_the_inputs_too() -> None:
    superlink = RememberingSuperlink()
    provider = await configured(superlink)
    node_id = superlink.register_node(parse_openssh(KEY), "berlin/a")
    answer = await provider.read(engine.ReadRequest(urn("a"), str(node_id), {}, {}))
    assert plain(answer.inputs) == {"name": "berlin/a", "publicKey": KEY}
    assert plain(answer.properties)["nodeId"] == str(node_id)


@pytest.mark.parametrize("wrong_id", ["1.8e19", "-1", "0", "node-1", str(2**64)])
async def test_an_id_that_is_no_node_id_is_refused_with_the_value(wrong_id: str) -> None:
    provider = await configured(RememberingSuperlink())
    with pytest.raises(CallerError, match="flwr supernode list") as refusal:
        await provider.read(engine.ReadRequest(urn("a"), wrong_id, {}, {}))
    assert repr(wrong_id) in str(refusal.value)


async def test_deleting_a_node_that_is_gone_is_done() -> None:
    superlink = RememberingSuperlink()
    provider = await configured(superlink)
    await provider.delete(engine.DeleteRequest(urn("a"), str(BIG_ID), {}, 0))
    assert superlink.calls == [f"unregister {BIG_ID}"]


async def test_a_resource_renamed_in_the_program_does_not_revoke_the_node_that_its_successor_adopted() -> None:
    superlink = RememberingSuperlink()
    provider = await configured(superlink)
    node_id = superlink.register_node(parse_openssh(KEY), "berlin/a")
    inputs = values(name="berlin/a", publicKey=KEY)
    await provider.create(engine.CreateRequest(urn("new"), inputs, 0, False))
    await provider.delete(engine.DeleteRequest(urn("old"), str(node_id), {}, 0))
    assert node_id in superlink.nodes


@pytest.mark.parametrize(
    ("arguments", "property_name"),
    [
        (values(caCertificate=CA), "endpoint"),
        (values(endpoint="https://superlink:9093", caCertificate=CA), "endpoint"),
        (values(endpoint="superlink:9093", caCertificate="no certificate"), "caCertificate"),
        (values(endpoint="superlink:9093", caCertificate="kein Zertifikat für Python"), "caCertificate"),
        (values(endpoint="superlink:9093", caCertificate=CA, requestTimeoutS="0"), "requestTimeoutS"),
        (values(endpoint="superlink:9093", caCertificate=CA, requestTimeoutS="soon"), "requestTimeoutS"),
        (values(endpoint=UNKNOWN, caCertificate=CA, requestTimeoutS="301"), "requestTimeoutS"),
    ],
    ids=["no endpoint", "a URL", "no certificate", "no ASCII", "no time", "no number", "too long"],
)
async def test_a_wrong_configuration_fails_the_check_of_its_property(
    arguments: dict[str, PropertyValue], property_name: str
) -> None:
    answer = await FlowerProvider().check_config(engine.CheckRequest(urn("p"), {}, arguments, b""))
    assert [failure.property for failure in answer.failures or []] == [property_name]


def test_a_timeout_that_arrives_as_text_is_read() -> None:
    settings = read_settings(values(endpoint="superlink:9093", caCertificate=CA, requestTimeoutS="2.5"))
    assert settings is not None
    assert settings.request_timeout_s == 2.5


def test_the_schema_names_the_resource_with_every_property_that_is_answered() -> None:
    schema = json.loads(read_schema())
    resource = schema["resources"][RESOURCE_TYPE]
    assert set(resource["inputProperties"]) == {"name", "publicKey"}
    assert set(resource["properties"]) == {"name", "publicKey", "nodeId", "fingerprint"}
    assert resource["properties"]["nodeId"]["type"] == "string"
