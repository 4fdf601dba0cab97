"""Pulumi resources for OpenNebula: the classes that programs import.

Importing this package loads no OpenNebula client: the plugin behind the classes is `pulumi_opennebula.provider`. Nor
does the plugin load the classes, which would be a tenth of the start of each of its processes: the first name that a
program takes from here loads them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_opennebula.sdk import *  # noqa: F403
else:

    def __getattr__(name: str) -> Any:
        """A name of the SDK, or the list of them for `import *`."""
        if name.startswith("_") and name != "__all__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        sdk = importlib.import_module(f"{__name__}.sdk")
        return sdk if name == "sdk" else getattr(sdk, name)

    def __dir__() -> list[str]:
        """Names for completion."""
        return [*globals(), *importlib.import_module(f"{__name__}.sdk").__all__]
