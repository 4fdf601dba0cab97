"""What the state of a resource holds: the program's spelling where it means what the cloud has, the cloud's otherwise.

Pure. It also decides which values are secrets in the state: what the program marked, wherever it turns up again, and
what is a secret by its name on import, when there is no program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record, Resource
from pulumi_opennebula.provider.diffs import changes, paired, same
from pulumi_opennebula.provider.values import UNKNOWN, Path, Secrets, Unknown, Values

SECRET_NAME: Final = re.compile(r"(?i)(password|passwd|passphrase|pwd|secret|private|credential|api_?key|_key$|token$)")
NOT_SECRET_NAME: Final = re.compile(r"(?i)(public|ssh_public_key|fingerprint)")
SWITCHES: Final = frozenset({"", "YES", "NO"})
"""No secret under any name: CONTEXT has `TOKEN = "YES"`."""
_UNMARKED: Final = frozenset({"templateTags"})
_IMPORTED: Final = frozenset({"context", "variables", "tags", "tagsAll", "templateSections"})
"""Properties in whose maps names decide what is a secret: always, and where there is no program yet."""
OWNERSHIP: Final = frozenset({"permissions", "group", "user", "uid", "gid", "uname", "gname"})
"""Not written into an imported resource's inputs: the user that runs Pulumi gives new objects the same."""


def settled(resource: Resource, inputs: Values, seen: Values, same_json: Any = None) -> Values:
    """The state: `seen` in the cloud, with the program's spelling of what means the same.

    Args:
        resource: The definition.
        inputs: What the program gave, or the state before.
        seen: What the cloud has.
        same_json: Compares two JSON texts of a property by meaning, where the resource has a way of its own.
    """
    state: Values = {}
    for item in resource.properties:
        given, found = inputs.get(item.name), seen.get(item.name)
        value = found
        if item.local:
            value = given
        elif item.output or given is None:
            value = found
        elif _has_outputs(item):
            value = _ordered_like(item, given, found)
        elif found is None:
            value = given if _says_nothing(given) else None
        elif item.json and same_json is not None:
            value = given if same_json(given, found) else found
        elif same(item, item.type, found, given):
            value = given
        if value is not None:
            state[item.name] = value
    return state


def planned(resource: Resource, inputs: Values, old: Values | None, later: tuple[str, ...]) -> Values:
    """The state that a preview shows: inputs, and what the cloud will choose as unknown.

    Args:
        resource: The definition.
        inputs: What the program gives.
        old: The state before an update; None for a creation.
        later: Outputs that an update may change.
    """
    state = {name: value for name, value in inputs.items() if not name.startswith("__")}
    before = old or {}
    changed = {str(change.path[0]) for change in changes(resource.record, before, inputs)}
    for item in resource.properties:
        if item.name in state:
            if _has_outputs(item):
                state[item.name] = _with_outputs(item, state[item.name], before.get(item.name))
        elif (item.output or item.computed) and not item.local:
            stays = item.name in before and item.name not in later and not changed & set(item.follows)
            state[item.name] = before[item.name] if stays else UNKNOWN
    return state


def _with_outputs(item: Property, given: Any, old: Any) -> Any:
    """A list of the program's with what the cloud chooses in its elements: as it was, or not known yet."""
    if not (isinstance(given, list) and isinstance(item.type, ListOf) and isinstance(item.type.item, Record)):
        return given
    seen = old if isinstance(old, list) else []
    pairs, _, _ = paired(item, item.type, seen, given)
    twins = {new: seen[index] for index, new in pairs}
    chosen = [part.name for part in item.type.item.properties if part.output or part.computed]
    return [
        {name: twins[index].get(name) if index in twins else UNKNOWN for name in chosen} | dict(entry)
        if isinstance(entry, Mapping)
        else entry
        for index, entry in enumerate(given)
    ]


def imported_inputs(resource: Resource, state: Values) -> Values:
    """Inputs that a program would give for an object that exists."""
    found: Values = {}
    for item in resource.properties:
        value = state.get(item.name)
        if item.output or item.local or item.name in OWNERSHIP or value is None or _says_nothing(value):
            continue
        if (
            item.name in {"defaultTags", "tagsAll"}
            or value is False
            or (item.default is not None and value == item.default)
        ):
            continue
        found[item.name] = _without_outputs(item, value)
    return found


def adopted(old: Values, new: Values) -> Values:
    """The state of an imported object as far as the program speaks of it: the rest belongs to others.

    An import takes every tag, section and held address, because there is no program yet to say which are its own. A
    program that lists addresses to hold lists all of its own: those that it leaves out are released.
    """
    seen = dict(old)
    for name in ("tags", "tagsAll"):
        if isinstance(old.get(name), Mapping):
            tags = {key.upper() for key in new.get("tags") or {}}
            seen[name] = {key: value for key, value in old[name].items() if key.upper() in tags}
    if old.get("templateSections"):
        wanted = [item for item in new.get("templateSections") or [] if isinstance(item, Mapping)]
        names = {str(item.get("name", "")).upper() for item in wanted}
        seen["templateSections"] = [item for item in old["templateSections"] if str(item["name"]).upper() in names]
    if new.get("holdIps") is None:
        seen.pop("holdIps", None)
    return seen


def of_both(resource: Resource, old: Values, new: Values) -> Values:
    """What the state and the new inputs speak of together.

    An update that failed may not have come to what it had to take away (a tag, a variable, an address on hold). A
    state that spoke of the new inputs only would take that for somebody else's, and nobody would ever remove it.
    """
    both = dict(old)
    for item in resource.properties:
        before, after = old.get(item.name), new.get(item.name)
        if after is None:
            continue
        both[item.name] = after
        if isinstance(item.type, MapOf) and isinstance(before, Mapping) and isinstance(after, Mapping):
            named = {str(key).upper() for key in after}
            both[item.name] = {key: value for key, value in before.items() if key.upper() not in named} | dict(after)
        elif isinstance(before, list) and isinstance(after, list):
            if isinstance(item.type, ListOf) and item.type.item == "string" and item.unordered:
                both[item.name] = [*after, *(entry for entry in before if entry not in after)]
            elif item.name == "templateSections":
                both[item.name] = [*after, *before]
    return both


def refreshed_inputs(resource: Resource, inputs: Values, state: Values) -> Values:
    """The inputs of the state after a refresh: as the program gave them, except where the cloud now differs."""
    found: Values = {}
    for name, value in inputs.items():
        item = resource.record.get(name)
        if item is None or item.local:
            found[name] = value
        elif state.get(name) is not None:
            found[name] = value if same(item, item.type, state[name], value) else _without_outputs(item, state[name])
        elif _says_nothing(value):
            found[name] = value
    return found


def secret_paths(resource: Resource, state: Values, inputs: Values, marked: Secrets, *, imported: bool) -> Secrets:
    """Which paths of a state are secrets.

    Args:
        resource: The definition.
        state: The state.
        inputs: The values in which the program's marks are.
        marked: Paths in `inputs` that the program marked.
        imported: Whether there is no program yet, so that names decide.
    """
    secrets: set[Path] = {path for path in marked if path[0] in state}
    values = {text for path in marked for text in _texts(_at(inputs, path)) if text}
    for path, text in _leaves(state):
        # What a VM has from its template no program of it can mark.
        unmarked = path[0] in _UNMARKED or (imported and path[0] in _IMPORTED)
        named = unmarked and _secret_name(str(path[-1]))
        by_name = named and str(text).upper() not in SWITCHES
        if (isinstance(text, str) and text in values) or by_name:
            secrets.add(path)
    secrets.update(_defined_secrets(resource.record, state, ()))
    # What lies in a secret is one already; the engine takes no secret within a secret.
    return frozenset(path for path in secrets if not any(path[:size] in secrets for size in range(1, len(path))))


def defined_secrets(resource: Resource, values: Values) -> Secrets:
    """Paths of values that are secrets whatever the program says."""
    return frozenset(_defined_secrets(resource.record, values, ()))


def named_secrets(values: Values) -> Secrets:
    """Paths of values that are hidden in messages because of their names, marked or not."""
    return frozenset(path for path, _ in _leaves(values) if path[0] in _IMPORTED and _secret_name(str(path[-1])))


def _secret_name(name: str) -> bool:
    return bool(SECRET_NAME.search(name)) and not NOT_SECRET_NAME.search(name)


def _defined_secrets(record: Record, values: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for item in record.properties:
        value = values.get(item.name)
        if value is None:
            continue
        if item.secret:
            yield (*path, item.name)
        if isinstance(item.type, Record) and not isinstance(value, Mapping) and _holds_secret(item.type):
            # Given in a shape that is refused: what is shown then must not be what is hidden otherwise.
            yield (*path, item.name)
        elif isinstance(item.type, Record) and isinstance(value, Mapping):
            yield from _defined_secrets(item.type, value, (*path, item.name))
        elif isinstance(item.type, ListOf) and isinstance(item.type.item, Record) and isinstance(value, list):
            for index, entry in enumerate(value):
                if isinstance(entry, Mapping):
                    yield from _defined_secrets(item.type.item, entry, (*path, item.name, index))
        elif isinstance(item.type, ListOf) and isinstance(item.type.item, Record) and _holds_secret(item.type.item):
            yield (*path, item.name)


def _holds_secret(record: Record) -> bool:
    return any(item.secret for item in record.properties)


def _has_outputs(item: Property) -> bool:
    """Whether elements of a list carry outputs, so that the state keeps the cloud's elements in the program's order."""
    return (
        isinstance(item.type, ListOf)
        and isinstance(item.type.item, Record)
        and any(part.output for part in item.type.item.properties)
    )


def _ordered_like(item: Property, given: Any, found: Any) -> Any:
    """The cloud's elements in the program's order; a list whose order means something is in it already."""
    if not item.unordered or not isinstance(item.type, ListOf):
        return found
    if not isinstance(found, list) or not isinstance(given, list):
        return found
    pairs, _, rest = paired(item, item.type, found, given)
    by_new = {new: old for old, new in pairs}
    return [found[by_new[index]] for index in sorted(by_new)] + [found[index] for index in rest]


def _without_outputs(item: Property, value: Any) -> Any:
    if isinstance(item.type, ListOf) and isinstance(item.type.item, Record) and isinstance(value, list):
        hidden = {part.name for part in item.type.item.properties if part.output}
        return [
            {key: part for key, part in entry.items() if key not in hidden} if isinstance(entry, Mapping) else entry
            for entry in value
        ]
    return value


def _says_nothing(value: Any) -> bool:
    return not isinstance(value, Unknown) and value in ("", [], {})


def _at(values: Any, path: Path) -> Any:
    found = values
    for step in path:
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            return None
    return found


def _texts(value: Any) -> Iterator[str]:
    for _, leaf in _leaves(value):
        if isinstance(leaf, str):
            yield leaf


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value
