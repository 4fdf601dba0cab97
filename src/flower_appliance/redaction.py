"""Takes secrets out of text before it is written anywhere. A last line of defence: nothing logs secrets on purpose."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

REDACTED = "(redacted)"
_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY-----")
_WHOLE_KEY = re.compile(f"{_BEGIN.pattern}.*?(?:{_END.pattern}|\\Z)", re.DOTALL)
_NAMED = re.compile(
    r"(?i)((?:x-onegate-token|authorization|flwr-task-token|flwr-signature|password|token)['\"]?\s*[:=]\s*\[?['\"]?)"
    r"((?:bearer|basic)\s+)?[^\s'\",;}]+"
)


class Redactor:
    """Redacts one stream of lines; a private key that spans lines is dropped as a whole."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take also these literal secrets out, wherever they stand."""
        # Short values would blank out innocent text.
        self._secrets = sorted({secret for secret in secrets if len(secret) >= 8}, key=len, reverse=True)
        self._in_key = False

    def line(self, text: str) -> str:
        """The line without secrets."""
        if self._in_key:
            end = _END.search(text)
            if end is None:
                return REDACTED
            self._in_key = False
            text = REDACTED + text[end.end() :]
        cleaned = self.text(text)
        begins = [match.end() for match in _BEGIN.finditer(text)]
        self._in_key = bool(begins) and _END.search(text, begins[-1]) is None
        return cleaned

    def text(self, text: str) -> str:
        """A text of one or more lines without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return _NAMED.sub(rf"\1{REDACTED}", _WHOLE_KEY.sub(REDACTED, text))


class RedactingFilter(logging.Filter):
    """Applies a `Redactor` to every record of a handler, exceptions included."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record's message; always lets it through."""
        record.msg, record.args = self._redactor.text(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self._redactor.text(record.exc_text)
        return True
