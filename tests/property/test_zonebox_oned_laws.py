"""Laws that hold for any template, address range, sequence of leases and transactions."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from zonebox import template, xmltree
from zonebox.model import ranges
from zonebox.store import Store
from zonebox.trees import Tree, ordered

names = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
values = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=20
).filter(lambda text: not text.endswith("\\") and '\\"' not in text)
vectors = st.dictionaries(names, values, max_size=4)
leaves = st.one_of(values, vectors)
trees = st.dictionaries(names, st.one_of(leaves, st.lists(vectors.filter(bool), min_size=2, max_size=3)), max_size=5)


@given(trees)
def test_a_rendered_template_parses_to_itself(tree: Mapping[str, Any]) -> None:
    assert template.parse(template.render(tree)) == ordered(tree)


@given(st.dictionaries(names, st.one_of(values.filter(bool), vectors.filter(bool)), min_size=1, max_size=5))
def test_a_tree_survives_xml(tree: Mapping[str, Any]) -> None:
    assert xmltree.parse(xmltree.render("TEMPLATE", tree)) == ("TEMPLATE", tree)


@given(st.integers(0, 2**31), st.integers(1, 300), st.lists(st.integers(0, 299), max_size=30))
def test_no_address_is_handed_out_twice_and_the_lowest_free_one_comes_first(
    first: int, size: int, held: list[int]
) -> None:
    ip = ".".join(str(byte) for byte in first.to_bytes(4, "big"))
    ar = ranges.new({"TYPE": "IP4", "IP": ip, "SIZE": str(size)}, 0, lambda _: "00000000")
    for index in held:
        if index < size:
            ar["ALLOCATED"][str(index)] = "VM -1"
    given_out = list(ranges.free_indexes(ar))
    assert given_out == sorted(set(range(size)) - set(held))
    addresses = {ranges.address(ar, index)["IP"] for index in range(size)}
    assert len(addresses) == size
    for index in given_out[:5]:
        assert ranges.index_of(ar, ranges.address(ar, index)["IP"]) == index
        assert ranges.index_of(ar, "", ranges.address(ar, index)["MAC"]) == index


operations = st.lists(
    st.tuples(st.sampled_from(["put", "drop", "id"]), st.integers(0, 5), st.booleans()), min_size=1, max_size=25
)


@settings(max_examples=40)
@given(operations)
def test_a_reopened_store_has_exactly_what_was_committed(steps: list[tuple[str, int, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "zone.sqlite"
        store = Store(path)
        expected: dict[int, Tree] = {}
        highest = 0
        for number, (what, id_, fails) in enumerate(steps):
            try:
                with store.transaction():
                    if what == "put":
                        store.put("x", id_, {"N": str(number)})
                    elif what == "drop":
                        store.drop("x", id_)
                    else:
                        assert store.next_id("x") == highest
                    if fails:
                        raise KeyError(what)
            except KeyError:
                continue
            if what == "put":
                expected[id_] = {"N": str(number)}
            elif what == "drop":
                expected.pop(id_, None)
            else:
                highest += 1
        for opened in (store, Store(path)):
            assert opened.all("x") == [expected[id_] for id_ in sorted(expected)]
            opened.close()
