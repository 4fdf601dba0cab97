"""The version that the plugin and its schema carry."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
