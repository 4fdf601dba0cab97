"""The tls plugin as the engine starts it, but for one thing: every certificate that it makes ends at a given instant.

So a certificate of 90 days nears its end, and passes it, while a test looks on. Nothing else knows of this: what is
made is a certificate like any other that was made 90 days before that instant.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from pulumi.provider.experimental import provider as engine
from pulumi.provider.experimental.server import main as serve

from pulumi_resource_tls.properties import whole
from pulumi_resource_tls.provider import VERSION, TlsProvider, kind_of
from pulumi_resource_tls.sources import Sources, system_sources
from pulumi_resource_tls.values import plain_map

ENDS_AT = "TEST_CERTIFICATES_END_AT"
"""An instant in ISO 8601."""


class EndingTls(TlsProvider):
    """Makes certificates that end at an instant.

    Args:
        sources: Clock and randomness of everything else.
        end: The instant, aware.
    """

    def __init__(self, sources: Sources, end: datetime) -> None:
        super().__init__(sources)
        self._system, self._end = sources, end

    async def create(self, request: engine.CreateRequest) -> engine.CreateResponse:
        if not kind_of(request.type).renews:
            return await super().create(request)
        begin = self._end - timedelta(hours=whole(plain_map(request.properties), "validityPeriodHours"))
        return await TlsProvider(replace(self._system, now=lambda: begin)).create(request)


def home_with_it(folder: Path, *, python: Path) -> Path:
    """A home for the engine whose tls plugin is this one.

    Args:
        folder: Where to make it.
        python: The interpreter that has the plugin.
    """
    launcher = folder / "plugins" / f"resource-tls-v{VERSION}" / "pulumi-resource-tls"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(f'#!/bin/sh\nexec {python} {Path(__file__).resolve()} "$@"\n')
    launcher.chmod(stat.S_IRWXU)
    return folder


if __name__ == "__main__":
    serve(sys.argv[1:], VERSION, EndingTls(system_sources(), datetime.fromisoformat(os.environ[ENDS_AT])))
