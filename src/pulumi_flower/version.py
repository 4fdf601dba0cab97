"""The package's version, which the engine asks the plugin for."""

from typing import Final

VERSION: Final = "0.1.0"
