"""What the state holds, what a preview shows, what an import gives, and what is a secret in it."""

from __future__ import annotations

import pytest

from pulumi_opennebula.definitions import RESOURCES
from pulumi_opennebula.provider.states import imported_inputs, of_both, planned, refreshed_inputs, secret_paths, settled
from pulumi_opennebula.provider.values import UNKNOWN

DEFINITIONS = {resource.name: resource for resource in RESOURCES}
TEMPLATE = DEFINITIONS["Template"]


def test_the_programs_spelling_stays_where_it_means_what_the_cloud_has() -> None:
    inputs = {"name": "a", "context": {"fl_role": "x"}, "rules": [], "cpu": 0.5}
    seen = {"name": "a", "context": {"FL_ROLE": "x"}, "cpu": 0.5, "gid": 0}
    assert settled(TEMPLATE, inputs, seen) == {"name": "a", "context": {"fl_role": "x"}, "cpu": 0.5, "gid": 0}


def test_what_the_cloud_has_otherwise_is_in_the_state() -> None:
    assert settled(TEMPLATE, {"memory": 64}, {"memory": 128})["memory"] == 128
    assert "description" not in settled(TEMPLATE, {"description": "x"}, {})


def test_settings_of_the_provider_alone_stay_as_given() -> None:
    image = DEFINITIONS["Image"]
    state = settled(image, {"timeouts": {"create": "5m"}, "timeout": 3}, {"size": 1})
    assert state == {"timeouts": {"create": "5m"}, "timeout": 3, "size": 1}


def test_ranges_keep_the_programs_order_and_the_clouds_numbers() -> None:
    network = DEFINITIONS["VirtualNetwork"]
    one = {"arType": "IP4", "size": 1, "ip4": "10.0.0.1"}
    two = {"arType": "IP4", "size": 1, "ip4": "10.0.1.1"}
    seen = {"ars": [{**one, "id": "0", "mac": "a"}, {**two, "id": "1", "mac": "b"}]}
    assert [entry["id"] for entry in settled(network, {"ars": [two, one]}, seen)["ars"]] == ["1", "0"]


def test_a_preview_of_a_new_object_does_not_know_what_the_cloud_chooses() -> None:
    state = planned(TEMPLATE, {"name": "a", "cpu": 1}, None, ())
    assert (state["name"], state["cpu"]) == ("a", 1)
    assert state["memory"] is UNKNOWN and state["templateId"] is UNKNOWN and state["uid"] is UNKNOWN
    assert "description" not in state


def test_a_preview_of_an_update_knows_what_stays() -> None:
    service = DEFINITIONS["Service"]
    old = {"name": "a", "serviceId": "3", "roles": [], "uid": 0, "templateId": 1}
    state = planned(service, {"name": "b", "templateId": 1}, old, ("roles", "state", "networks"))
    assert (state["name"], state["serviceId"], state["uid"]) == ("b", "3", 0)
    assert state["roles"] is UNKNOWN and state["state"] is UNKNOWN


CARD = {"networkId": 1, "model": "virtio"}
CARD_OF_THE_CLOUD = {**CARD, "nicId": 0, "computedIp": "10.0.0.1", "computedMac": "02:00:0a:00:00:01"}
MACHINE = DEFINITIONS["VirtualMachine"]


def test_a_preview_knows_the_address_of_no_card_that_is_not_made_yet() -> None:
    (card,) = planned(MACHINE, {"name": "a", "nics": [CARD]}, None, ())["nics"]
    assert (card["networkId"], card["computedIp"], card["nicId"]) == (1, UNKNOWN, UNKNOWN)
    (role,) = planned(DEFINITIONS["VirtualMachineGroup"], {"name": "a", "roles": [{"name": "r"}]}, None, ())["roles"]
    assert (role["name"], role["id"], role["policy"]) == ("r", UNKNOWN, UNKNOWN)
    assert planned(MACHINE, {"nics": UNKNOWN}, None, ())["nics"] is UNKNOWN
    assert planned(MACHINE, {"nics": [UNKNOWN]}, None, ())["nics"] == [UNKNOWN]


def test_a_preview_of_an_update_knows_the_addresses_of_cards_that_stay() -> None:
    old = {"name": "a", "nics": [CARD_OF_THE_CLOUD], "ip": "10.0.0.1"}
    state = planned(MACHINE, {"name": "b", "nics": [CARD]}, old, ())
    assert state["nics"][0]["computedIp"] == "10.0.0.1" and state["ip"] == "10.0.0.1"
    other = planned(MACHINE, {"name": "a", "nics": [{**CARD, "networkId": 2}, CARD]}, old, ())
    assert [card["computedIp"] for card in other["nics"]] == [UNKNOWN, "10.0.0.1"]
    assert other["ip"] is UNKNOWN


@pytest.mark.parametrize(
    ("resource", "changed", "follows"),
    [
        ("Template", {"group": "users"}, {"gid", "gname"}),
        ("VirtualNetwork", {"user": "alice"}, {"uid", "uname"}),
        ("Service", {"uname": "alice"}, {"uid"}),
        ("Service", {"gid": 100}, {"gname"}),
        ("VirtualNetworkAddressRange", {"holdIps": ["10.0.0.2"]}, {"heldIps"}),
        ("Template", {"description": "b"}, set()),
    ],
)
def test_a_preview_does_not_know_what_follows_a_change(
    resource: str, changed: dict[str, object], follows: set[str]
) -> None:
    old = {"uid": 0, "gid": 0, "uname": "oneadmin", "gname": "oneadmin", "group": "oneadmin", "heldIps": []}
    known = {item.name for item in DEFINITIONS[resource].properties}
    state = planned(DEFINITIONS[resource], changed, {name: old[name] for name in old if name in known}, ())
    assert {name for name in old if state.get(name) is UNKNOWN} == follows


def test_imported_inputs_are_what_a_program_would_say() -> None:
    state = {
        "name": "a",
        "cpu": 1,
        "context": {"A": "b"},
        "uid": 0,
        "permissions": "600",
        "group": "oneadmin",
        "tagsAll": {},
        "nics": [],
        "description": "",
    }
    assert imported_inputs(TEMPLATE, state) == {"name": "a", "cpu": 1, "context": {"A": "b"}}
    network = DEFINITIONS["VirtualNetwork"]
    ranges = [{"arType": "IP4", "size": 1, "ip4": "10.0.0.1", "id": "0", "computedMac": "x"}]
    assert imported_inputs(network, {"ars": ranges})["ars"] == [{"arType": "IP4", "size": 1, "ip4": "10.0.0.1"}]


def test_a_refresh_keeps_the_programs_inputs_except_where_the_cloud_differs() -> None:
    inputs = {"name": "a", "memory": 64, "context": {"k": "v"}, "description": "gone", "nics": []}
    state = {"name": "a", "memory": 128, "context": {"k": "v"}}
    assert refreshed_inputs(TEMPLATE, inputs, state) == {"name": "a", "memory": 128, "context": {"k": "v"}, "nics": []}


def test_a_secret_is_one_wherever_it_turns_up() -> None:
    inputs = {"context": {"key": "hush", "role": "x"}, "tags": {"t": "hush"}}
    state = {**inputs, "tagsAll": {"t": "hush", "u": "loud"}}
    marked = frozenset({("context", "key")})
    assert secret_paths(TEMPLATE, state, inputs, marked, imported=False) == {
        ("context", "key"),
        ("tags", "t"),
        ("tagsAll", "t"),
    }


def test_what_lies_in_a_secret_map_is_marked_once() -> None:
    inputs = {"context": {"a": "hush"}}
    found = secret_paths(
        TEMPLATE, {"context": {"a": "hush"}, "name": "n"}, inputs, frozenset({("context",)}), imported=False
    )
    assert found == {("context",)}


def test_passwords_of_the_definition_are_always_secrets() -> None:
    state = {"graphics": {"type": "VNC", "listen": "0.0.0.0", "passwd": "x"}}
    assert secret_paths(TEMPLATE, state, {}, frozenset(), imported=False) == {("graphics", "passwd")}


def test_what_a_vm_has_from_its_template_is_a_secret_by_its_name_because_no_program_can_mark_it() -> None:
    state = {"templateTags": {"ROOT_PASSWORD": "hush", "OWNER": "a"}}
    found = secret_paths(DEFINITIONS["VirtualMachine"], state, {}, frozenset(), imported=False)
    assert found == {("templateTags", "ROOT_PASSWORD")}


def test_an_imported_section_has_secrets_by_name() -> None:
    state = {"templateSections": [{"name": "VAULT", "elements": {"PASSWORD": "hush", "USER": "a"}}]}
    found = secret_paths(TEMPLATE, state, {}, frozenset(), imported=True)
    assert found == {("templateSections", 0, "elements", "PASSWORD")}


def test_on_import_names_decide_what_is_a_secret() -> None:
    context = {"FL_SERVER_KEY": "x", "ROOT_PASSWORD": "y", "TOKEN": "YES", "SSH_PUBLIC_KEY": "z", "FL_ROLE": "r"}
    found = secret_paths(TEMPLATE, {"context": context}, {}, frozenset(), imported=True)
    assert found == {("context", "FL_SERVER_KEY"), ("context", "ROOT_PASSWORD")}


@pytest.mark.parametrize(
    "name", ["FL_SERVER_KEY", "DB_PASSWORD", "KEY_PASSPHRASE", "ROOT_PWD", "APIKEY", "ACCESS_TOKEN"]
)
@pytest.mark.parametrize(("resource", "place"), [("Template", "context"), ("ServiceContext", "variables")])
def test_an_import_takes_for_a_secret_what_is_named_like_one(resource: str, place: str, name: str) -> None:
    state = {place: {name: "hush", "FL_ROLE": "supernode", "SSH_PUBLIC_KEY": "ssh-ed25519 AAAA", "TOKEN": "YES"}}
    found = secret_paths(DEFINITIONS[resource], state, {}, frozenset(), imported=True)
    assert found == {(place, name)}
    assert secret_paths(DEFINITIONS[resource], state, state, frozenset(), imported=False) == set()


def test_state_and_program_together_speak_of_what_either_does_and_the_program_wins() -> None:
    old = {"context": {"key": "1", "gone": "2"}, "memory": 64, "description": "a", "uid": 0}
    new = {"context": {"KEY": "3"}, "memory": 96, "tags": {"a": "b"}}
    assert of_both(TEMPLATE, old, new) == {
        "context": {"gone": "2", "KEY": "3"},
        "memory": 96,
        "description": "a",
        "uid": 0,
        "tags": {"a": "b"},
    }
    network = DEFINITIONS["VirtualNetwork"]
    assert of_both(network, {"holdIps": ["1", "2"]}, {"holdIps": ["2", "3"]}) == {"holdIps": ["2", "3", "1"]}
    assert of_both(network, {"holdIps": ["1"]}, {}) == {"holdIps": ["1"]}
