"""What may be declared of a registration, and what a change of it means."""

from __future__ import annotations

import pytest

from pulumi_flower.errors import InvalidInputError
from pulumi_flower.registration import Change, Declared, check_name, diff, normalise, refuse_rename
from tests.flower_support import public_line

KEY_A = public_line()
KEY_B = public_line()


@pytest.mark.parametrize("name", ["berlin/supernode-0", "paris-2/VM_1.a", "a/b"])
def test_a_zone_and_a_vm_make_a_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "berlin", "berlin/", "/supernode-0", "Berlin/vm", "berlin/a/b", "berlin/a b", "berlin/vm\n", "1/vm"]
)
def test_any_other_name_is_refused_with_the_value_and_an_example(name: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        check_name(name)
    assert repr(name) in str(refusal.value)
    assert "'berlin/supernode-0'" in str(refusal.value)


def test_an_unknown_key_does_not_keep_a_wrong_name_from_being_refused() -> None:
    with pytest.raises(InvalidInputError, match="berlin supernode"):
        normalise(Declared(name="berlin supernode", public_key=None))


def test_a_comment_is_dropped_from_the_key() -> None:
    declared = normalise(Declared(name="berlin/vm", public_key=f"{KEY_A} root@vm"))
    assert declared.public_key == KEY_A


def test_a_new_name_on_the_same_key_is_refused_with_both_names() -> None:
    with pytest.raises(InvalidInputError) as refusal:
        refuse_rename(Declared(name="berlin/a", public_key=KEY_A), Declared(name="berlin/b", public_key=KEY_A))
    assert "from 'berlin/a' to 'berlin/b'" in str(refusal.value)
    assert "Set `name` back to 'berlin/a'" in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Declared(name="berlin/a", public_key=KEY_A), Declared(name="berlin/b", public_key=KEY_B)),
        (Declared(name="berlin/a", public_key=KEY_A), Declared(name="berlin/a", public_key=KEY_B)),
        (Declared(name="berlin/a", public_key=KEY_A), Declared(name="berlin/b", public_key=None)),
        (Declared(name=None, public_key=None), Declared(name="berlin/b", public_key=KEY_A)),
    ],
    ids=["both new", "key new", "key unknown", "first declaration"],
)
def test_a_new_name_is_let_through_where_the_key_is_not_known_to_stay(old: Declared, new: Declared) -> None:
    refuse_rename(old, new)


def test_a_new_key_replaces_and_the_same_name_does_not() -> None:
    changes = diff({"name": "berlin/a", "publicKey": KEY_A}, {"name": "berlin/a", "publicKey": KEY_B})
    assert changes == {"name": Change.NONE, "publicKey": Change.REPLACE}


def test_a_key_that_is_not_known_yet_counts_as_new() -> None:
    changes = diff({"name": "berlin/a", "publicKey": KEY_A}, {"name": "berlin/a", "publicKey": None})
    assert changes["publicKey"] is Change.REPLACE
