"""Files that settings name: their text, or a refusal that says which setting and what is wrong with its file.

It reads what goes into CONTEXT or outputs as it is. Own certificates of a centre are judged by FederationPKI.
"""

from __future__ import annotations

from pathlib import Path

from components.contextualization import encode_certificates
from components.errors import RefusalError
from infra.config_reader import Section


def read_file(section: Section, key: str, path: Path, *, reason: str, encoding: str = "utf-8") -> str:
    """The text of the file that a setting names.

    Args:
        section: The setting's level.
        key: Its key there.
        path: The file, absolute.
        reason: What the text is for.
        encoding: How it is written; `ascii` for PEM.

    Raises:
        RefusalError: It is no file, cannot be read, or is no text.
    """
    wanted = "an existing file" if not path.is_file() else f"a file with {encoding.upper()} text that can be read"
    try:
        return path.read_text(encoding=encoding)
    except (OSError, UnicodeDecodeError) as error:
        raise section.wrong(key, str(path), f"{wanted} ({type(error).__name__})", reason=reason) from error


def read_certificates_file(section: Section, key: str, path: Path, *, reason: str) -> str:
    """The text of a file with one or more certificates in PEM.

    Raises:
        RefusalError: It cannot be read, or holds anything but certificates in PEM.
    """
    text = read_file(section, key, path, reason=reason, encoding="ascii")
    try:
        encode_certificates(text)
    except RefusalError as refusal:
        raise section.wrong(
            key, str(path), f"a file with certificates in PEM, but it is {refusal.value}", reason=reason
        ) from refusal
    return text
