"""Round trips: what a program gives is what the state has after the cloud stored it, whatever it is."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from hypothesis import given
from hypothesis import strategies as st

from pulumi_opennebula.definitions.template import TEMPLATE
from pulumi_opennebula.provider.diffs import changes
from pulumi_opennebula.provider.resources import template
from pulumi_opennebula.provider.states import settled
from pulumi_opennebula.provider.templates import Attribute, body_of, parse, render, unrenderable
from pulumi_opennebula.provider.values import Secrets, path_text, plain, wrapped

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F), max_size=20).filter(lambda t: not unrenderable(t))
FULL_TEXTS = TEXTS.filter(lambda text: text.strip() == text and text != "")
ATTRIBUTES = st.lists(
    st.tuples(
        NAMES.map(str.upper), st.one_of(TEXTS, st.dictionaries(NAMES.map(str.upper), TEXTS, min_size=1, max_size=4))
    ),
    max_size=6,
)
CONTEXT = st.dictionaries(NAMES, FULL_TEXTS, max_size=5).filter(lambda m: len({k.upper() for k in m}) == len(m))
NIC = st.fixed_dictionaries(
    {"networkId": st.integers(0, 999)},
    optional={"model": FULL_TEXTS, "ip": FULL_TEXTS, "securityGroups": st.lists(st.integers(0, 99), min_size=1)},
)
DISK = st.one_of(
    st.fixed_dictionaries({"imageId": st.integers(0, 999)}, optional={"target": FULL_TEXTS}),
    st.fixed_dictionaries({"size": st.integers(1, 9999), "volatileType": st.sampled_from(["fs", "swap"])}),
)
SECTION = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["PCI", "Hugepages", "NUMA_NODE"]),
        "elements": st.dictionaries(NAMES.map(str.upper), FULL_TEXTS, min_size=1, max_size=3),
    }
)
MACHINES = st.fixed_dictionaries(
    {"name": FULL_TEXTS},
    optional={
        "cpu": st.floats(0.01, 64).map(lambda value: round(value, 2)),
        "memory": st.integers(1, 4096),
        "context": CONTEXT,
        "nics": st.lists(NIC, max_size=4),
        "disks": st.lists(DISK, max_size=4),
        "templateSections": st.lists(SECTION, max_size=4),
        "tags": st.dictionaries(NAMES.map(lambda name: f"x{name}"), FULL_TEXTS, max_size=3).filter(
            lambda m: len({k.upper() for k in m}) == len(m)
        ),
    },
)


def stored(attributes: list[Attribute]) -> str:
    """The attributes as oned answers with them: names in upper case and sorted, equals in their order."""
    found = ""
    for name, value in sorted(attributes, key=lambda item: item[0].upper()):
        inner = (
            escape(value)
            if isinstance(value, str)
            else "".join(f"<{k.upper()}>{escape(v)}</{k.upper()}>" for k, v in sorted(value.items()))
        )
        found += f"<{name.upper()}>{inner}</{name.upper()}>"
    return f"<TEMPLATE>{found}</TEMPLATE>"


@given(ATTRIBUTES)
def test_what_is_rendered_is_parsed_to_the_same_attributes(attributes: list[Attribute]) -> None:
    assert parse(render(attributes)) == attributes


@given(MACHINES)
def test_a_template_comes_back_without_drift(inputs: dict[str, Any]) -> None:
    text = render(template.attributes(inputs, {}))
    body = body_of(f"<VMTEMPLATE><ID>1</ID><NAME>{escape(inputs['name'])}</NAME>{stored(parse(text))}</VMTEMPLATE>")
    state = settled(TEMPLATE, inputs, template.properties(body, inputs, {}))
    assert changes(TEMPLATE.record, state, inputs) == []
    for name in ("context", "nics", "disks"):
        if inputs.get(name):
            assert state[name] == inputs[name]


@given(MACHINES)
def test_an_imported_template_equals_the_program_that_made_it(inputs: dict[str, Any]) -> None:
    text = render(template.attributes(inputs, {}))
    body = body_of(f"<VMTEMPLATE><ID>1</ID><NAME>{escape(inputs['name'])}</NAME>{stored(parse(text))}</VMTEMPLATE>")
    state = settled(TEMPLATE, {}, template.properties(body, None, {}))
    assert [change for change in changes(TEMPLATE.record, state, inputs) if change.path[0] != "templateSections"] == []


@given(MACHINES, MACHINES)
def test_an_update_leaves_what_the_new_program_says_and_what_belongs_to_others(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    others = "<HYPERVISOR>kvm</HYPERVISOR><USB><PORT>1</PORT></USB>"
    before = stored(parse(render(template.attributes(old, {})))).replace("</TEMPLATE>", f"{others}</TEMPLATE>")
    body = body_of(f"<VMTEMPLATE><ID>1</ID><NAME>a</NAME>{before}</VMTEMPLATE>")
    state = settled(TEMPLATE, old, template.properties(body, old, {}))
    text = render(template.updated(body, state, new, {}))
    after = body_of(f"<VMTEMPLATE><ID>1</ID><NAME>a</NAME>{stored(parse(text))}</VMTEMPLATE>")
    assert after["TEMPLATE"]["HYPERVISOR"] == "kvm"
    assert after["TEMPLATE"]["USB"] == {"PORT": "1"}
    left = changes(TEMPLATE.record, settled(TEMPLATE, new, template.properties(after, new, {})), {**new, "name": "a"})
    assert left == []


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXTS)
TREES = st.recursive(
    SCALARS.filter(lambda value: value is not None),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, TREES, max_size=4), st.data())
def test_values_and_secret_marks_survive_the_engines_wrappers(values: dict[str, Any], data: st.DataObject) -> None:
    names = list(values)
    secrets: Secrets = frozenset(
        (name,) for name in data.draw(st.sets(st.sampled_from(names)) if names else st.just(set()))
    )
    assert plain(wrapped(values, secrets)) == (values, secrets)


@given(st.lists(st.one_of(NAMES, st.integers(0, 9)), min_size=1, max_size=4).filter(lambda p: isinstance(p[0], str)))
def test_paths_are_told_apart_by_their_text(path: list[str | int]) -> None:
    text = path_text(tuple(path))
    assert text.count("[") == sum(1 for step in path if isinstance(step, int))
    assert all(str(step) in text for step in path)
