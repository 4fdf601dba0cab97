"""The direction of imports in docs/architecture.md, held for every module by reading its import statements."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flower_federation.setup import project_folder

PROJECT = project_folder()

PACKAGES = {
    "infra": PROJECT / "infra",
    "components": PROJECT / "components",
    "pulumi_opennebula": PROJECT / "src" / "pulumi_opennebula",
    "pulumi_flower": PROJECT / "src" / "pulumi_flower",
    "pulumi_resource_tls": PROJECT / "src" / "pulumi_resource_tls",
    "zonebox": PROJECT / "src" / "zonebox",
    "flower_appliance": PROJECT / "src" / "flower_appliance",
    "flower_federation": PROJECT / "src" / "flower_federation",
}

PROVIDERS = frozenset({"pulumi_opennebula", "pulumi_flower", "pulumi_resource_tls"})

VERSION_MODULE = "flower_appliance.version"
"""The one Flower version constant: everybody may read it."""

# What each package may import of this project's, itself apart.
ALLOWED: dict[str, frozenset[str]] = {
    "infra": PROVIDERS | {"components"},
    "components": PROVIDERS,
    "pulumi_opennebula": frozenset(),
    "pulumi_flower": frozenset(),
    "pulumi_resource_tls": frozenset(),
    "zonebox": frozenset(),
    "flower_appliance": frozenset(),
    "flower_federation": frozenset(PACKAGES),
}

# Packages that know nothing of what stands beside this list.
STRANGERS = {
    "zonebox": ("pulumi", "pulumi_tls", "flwr"),
    "flower_appliance": ("pulumi", "pulumi_tls", "pyone", "aiohttp"),
    "infra": ("flwr",),
    "components": ("flwr",),
    "pulumi_flower": ("flwr",),
    "flower_federation": ("flwr",),
}

# What scripts/setup imports before any environment exists.
FIRST_STAGE = ("flower_federation.setup", "flower_federation.engine_cli", "flower_federation.locks")


def imported(source: str, *, package: str) -> Iterator[str]:
    """The absolute names of modules that a module imports, wherever in it; relative ones resolved in `package`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                yield ".".join([*base, *([node.module] if node.module else [])])
            elif node.module:
                # `from flower_appliance import version` names a module too.
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(name: str) -> Iterator[tuple[Path, set[str]]]:
    folder = PACKAGES[name]
    for path in sorted(folder.rglob("*.py")):
        package = ".".join((name, *path.relative_to(folder).parent.parts))
        yield path.relative_to(PROJECT), set(imported(path.read_text(), package=package))


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_imports_only_what_the_architecture_allows(name: str) -> None:
    forbidden = [other for other in PACKAGES if other != name and other not in ALLOWED[name]]
    found = [
        f"{path}: {module}"
        for path, names in modules(name)
        for module in sorted(names)
        if within(module, *forbidden) and not within(module, VERSION_MODULE)
    ]
    assert found == []


@pytest.mark.parametrize("name", STRANGERS)
def test_a_package_does_not_know_what_it_must_be_usable_without(name: str) -> None:
    found = [
        f"{path}: {module}"
        for path, names in modules(name)
        for module in sorted(names)
        if within(module, *STRANGERS[name])
    ]
    assert found == []


@pytest.mark.parametrize("name", PACKAGES)
def test_nothing_imports_tests_or_scripts(name: str) -> None:
    assert [f"{path}: {x}" for path, names in modules(name) for x in names if within(x, "tests", "scripts")] == []


def test_what_setup_imports_before_any_environment_exists_is_the_standard_library() -> None:
    waiting = list(FIRST_STAGE)
    seen: set[str] = set()
    found: list[str] = []
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        path = PROJECT / "src" / Path(*module.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for name in imported(file.read_text(), package=module.rpartition(".")[0]):
            top = name.split(".")[0]
            if top in PACKAGES:
                parent = name.rpartition(".")[0]
                is_module = (PROJECT / "src" / Path(*name.split("."))).with_suffix(".py").exists()
                waiting.append(name if is_module else parent)
                waiting.append(top)
            elif top not in sys.stdlib_module_names:
                found.append(f"{module}: {name}")
    assert found == []
    assert "flower_federation.packages" in seen


def test_every_package_of_the_project_is_held_by_these_rules() -> None:
    folders = {path.name for path in (PROJECT / "src").iterdir() if (path / "__init__.py").exists()}
    assert folders | {"infra", "components"} == set(PACKAGES)


def test_the_architecture_page_says_what_these_rules_hold() -> None:
    page = (PROJECT / "docs" / "architecture.md").read_text()
    rows = dict(re.findall(r"^\| `(?:src/)?(\w+)/` \|.*\| (.+?) \|$", page, re.MULTILINE))
    assert set(PACKAGES) <= set(rows)
    assert rows["infra"] == "`components`, provider packages"
    assert rows["components"] == "provider packages"
    assert {rows[name] for name in ("zonebox", "flower_appliance", "pulumi_opennebula", "pulumi_flower")} == {"-"}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b, c", {"a.b", "c"}),
        ("from a.b import c, d", {"a.b.c", "a.b.d"}),
        ("def f():\n    from x import y", {"x.y"}),
        ("from . import z\nfrom .m import n\nfrom ..o import p", {"pkg.sub", "pkg.sub.m", "pkg.o"}),
    ],
)
def test_imports_are_found_wherever_they_stand(source: str, names: set[str]) -> None:
    assert set(imported(source, package="pkg.sub")) == names
