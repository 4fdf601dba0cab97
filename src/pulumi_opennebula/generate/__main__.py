"""`python -m pulumi_opennebula.generate`: write the generated files where they are committed."""

from __future__ import annotations

from pathlib import Path

from pulumi_opennebula.generate.files import generated_files


def main() -> None:
    """Write every generated file under the package's folder."""
    root = Path(__file__).resolve().parents[1]
    for name, text in generated_files().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
