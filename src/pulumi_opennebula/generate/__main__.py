"""`python -m pulumi_opennebula.generate`: write the generated files where they are committed."""

from __future__ import annotations

from pathlib import Path

from pulumi_opennebula.generate.files import generated_files, generated_pages


def main() -> None:
    """Write every generated file: the package's own, and in a checkout the pages of its reference."""
    package = Path(__file__).resolve().parents[1]
    _write(package, generated_files())
    repository = package.parents[1]
    if (repository / "docs").is_dir():
        _write(repository, generated_pages(repository))


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
