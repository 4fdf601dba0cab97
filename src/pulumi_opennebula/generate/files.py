"""Which files are generated, and their text after the project's formatter. Writes none of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pulumi_opennebula.definitions import FUNCTIONS, RESOURCES
from pulumi_opennebula.definitions.model import snake_case
from pulumi_opennebula.generate.docs import reference_pages
from pulumi_opennebula.generate.python import (
    exports_of,
    function_module,
    package_exports,
    provider_module,
    resource_modules,
)
from pulumi_opennebula.provider.schema import schema_text

REFERENCE = "docs/reference"
EXAMPLES = f"{REFERENCE}/opennebula/examples"
ISOLATED = ("--isolated", "--config", 'lint.isort.known-first-party=["pulumi_opennebula"]')


def generated_files() -> dict[str, str]:
    """Path under the package's folder -> text."""
    modules: dict[str, str] = {}
    for resource in RESOURCES:
        modules |= resource_modules(resource)
    modules |= {snake_case(item.name): function_module(item) for item in FUNCTIONS}
    modules["provider_resource"] = provider_module()
    names = [(module, exports_of(text)) for module, text in sorted(modules.items())]
    files = {f"sdk/{module}.py": format_python(text) for module, text in modules.items()}
    files["sdk/__init__.py"] = format_python(package_exports(names))
    files["schema.json"] = schema_text()
    return files


def generated_pages(repository: Path) -> dict[str, str]:
    """Path under the repository's root -> text; the examples are read from there."""
    examples = {path.stem: path.read_text(encoding="utf-8") for path in sorted((repository / EXAMPLES).glob("*.py"))}
    return {f"{REFERENCE}/{name}": text for name, text in reference_pages(examples).items()}


def format_python(text: str) -> str:
    """The text as the project's formatter leaves it, so that a freshness test can compare bytes."""
    ruff = Path(sys.executable).with_name("ruff")
    done = text
    for arguments in (
        ["check", "--fix", "--quiet", "--select", "I,F401", *ISOLATED],
        ["format", "--quiet", "--isolated"],
    ):
        result = subprocess.run(
            [str(ruff), *arguments, "--line-length", "120", "--stdin-filename", "generated.py", "-"],
            input=done,
            capture_output=True,
            text=True,
            check=True,
        )
        done = result.stdout
    return done
