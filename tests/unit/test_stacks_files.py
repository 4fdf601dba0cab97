"""Stack files: their README is fresh, they fit together, and the working tree stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from flower_federation.errors import InputError
from flower_federation.stacks import Changes, drop_salt, read_stack_files, without_new_salt
from flower_federation.stacks_table import flatten, render, table
from infra.central_settings import CentralSettings
from infra.zone_settings import ZoneSettings
from tests.infra_support import PROJECT, STACKS, load_stack

SALT = "encryptionsalt: v1:abc=:v1:def=\n"


def test_the_readmes_table_is_what_the_stack_files_say() -> None:
    text = (PROJECT / "stacks" / "README.md").read_text()

    assert render(PROJECT, text) == text


def test_the_centre_comes_first_and_trusts_exactly_the_zones_that_name_it() -> None:
    central, *zones = read_stack_files(PROJECT)

    assert [stack.name for stack in (central, *zones)] == list(STACKS)
    assert sorted(central.trusted) == sorted(zone.name for zone in zones)
    assert {zone.central for zone in zones} == {central.name}


def test_zones_of_the_demo_share_no_partition_and_fit_the_centres_limits(tmp_path: Path) -> None:
    central, *zones = [load_stack(stack, tmp_path) for stack in STACKS]
    assert isinstance(central, CentralSettings)

    bases = [zone.partition_base for zone in zones if isinstance(zone, ZoneSettings)]
    assert len(bases) == len(set(bases)) == 2
    limits = {zone.name: zone.max_nodes for zone in central.zones}
    for zone in zones:
        assert isinstance(zone, ZoneSettings)
        assert zone.supernodes <= limits[zone.common.zone]
        assert zone.common.federation == central.common.federation


def test_no_committed_stack_carries_a_salt_or_a_secret() -> None:
    for stack in STACKS:
        text = (PROJECT / "stacks" / f"Pulumi.{stack}.yaml").read_text()
        assert "encryptionsalt" not in text
        assert "secure:" not in text


def test_a_salt_that_the_engine_added_is_taken_out_again() -> None:
    before = "config:\n  a: b\n"

    assert without_new_salt(before, before + SALT) == before
    assert without_new_salt(before, before + SALT.rstrip()) == before


def test_numbers_that_the_engine_put_into_quotes_are_no_change() -> None:
    before = "# comment\nconfig:\n  a: 2\n  b: {c: 3}\n"

    assert without_new_salt(before, 'config:\n  a: "2"\n  b: {c: 3}\n' + SALT) == before
    assert without_new_salt(before, 'config:\n  a: "2"\n  b: {c: "3"}\n' + SALT) != before


def test_whatever_else_changed_in_a_stack_file_is_kept() -> None:
    before = "config:\n  a: b\n"
    changed = "config:\n  a: c\n" + SALT

    assert without_new_salt(before, changed) == changed
    assert without_new_salt(before + SALT, before + SALT) == before + SALT
    assert without_new_salt(before, before) == before


@pytest.mark.parametrize(
    "text",
    ["config: [", "nothing: here\n", "config:\n  other:kind: zone\n", "config:\n  flower-federation:kind: zon\n"],
)
def test_a_stack_file_without_a_kind_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.odd.yaml").write_text(text)

    with pytest.raises(InputError, match=r"Pulumi\.odd\.yaml") as refusal:
        read_stack_files(tmp_path)
    assert "correct stacks/Pulumi.odd.yaml" in refusal.value.remedy


@pytest.mark.parametrize(("image", "uploads"), [("{path: a.json}", True), ("{name: a}", False), ("{id: 4}", False)])
def test_a_stack_uploads_its_image_or_finds_one(tmp_path: Path, image: str, uploads: bool) -> None:
    (tmp_path / "stacks").mkdir()
    text = f"config:\n  flower-federation:kind: central\n  flower-federation:image: {image}\n"
    (tmp_path / "stacks" / "Pulumi.madrid.yaml").write_text(text)
    (stack,) = read_stack_files(tmp_path)
    assert stack.uploads_image is uploads


def test_the_table_has_a_row_for_each_setting_that_differs_and_no_other() -> None:
    same, one, two = {"kind": "zone"}, {"n": "1"}, {"n": "2", "only": "here"}

    assert table([("a", {**same, **one}), ("b", {**same, **two})]).splitlines()[2:] == [
        "| `n` | 1 | 2 |",
        "| `only` | - | here |",
    ]


def test_nested_settings_are_named_by_their_path() -> None:
    assert flatten({"a": {"b": 1}, "c": [{"d": 2, "e": 3}, "f"]}) == {"a.b": "1", "c": "2 3, f"}


def test_changes_are_told_in_words() -> None:
    assert str(Changes(created=0, updated=0, replaced=0, deleted=0, unchanged=9)) == "unchanged"
    assert str(Changes(created=2, updated=1, replaced=0, deleted=3, unchanged=9)) == "2 created, 1 updated, 3 deleted"


SETTINGS = "config:\n  # a comment\n  flower-federation:kind: zone\n"


def test_a_salt_goes_with_its_passphrase_and_nothing_else_changes(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(SETTINGS + SALT)

    assert drop_salt(path)
    assert path.read_text() == SETTINGS
    assert not drop_salt(path)


@pytest.mark.parametrize(
    "encrypted",
    [
        "  flower-federation:password:\n    secure: v1:abc\n",
        "  flower-federation:data:\n    url:\n      secure: v1:abc\n",
        "  flower-federation:list:\n    - secure: v1:abc\n",
    ],
)
def test_a_salt_that_encrypted_a_value_stays(encrypted: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(SETTINGS + encrypted + SALT)

    assert not drop_salt(path)
    assert path.read_text() == SETTINGS + encrypted + SALT
