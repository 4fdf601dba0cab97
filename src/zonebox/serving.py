"""A zone in the foreground: from settings until a signal ends it. It parses no options."""

from __future__ import annotations

import asyncio
import logging
import signal

from zonebox import background
from zonebox.settings import Settings
from zonebox.zone import Zone


def run(settings: Settings, *, verbose: bool) -> None:
    """Run a zone until a signal ends it. Raises ConfigError.

    Args:
        settings: the zone.
        verbose: log every step.
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    asyncio.run(serve(settings))


async def serve(settings: Settings) -> None:
    """Run a zone until SIGTERM or SIGINT (guests stop too), or SIGHUP (guests run on). Raises ConfigError."""
    with background.ownership(settings.state):
        zone = Zone(settings)
        await zone.start()
        ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def end(keep_vms: bool) -> None:
            if not ended.done():
                ended.set_result(keep_vms)

        loop = asyncio.get_running_loop()
        for number, keep_vms in ((signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGHUP, True)):
            loop.add_signal_handler(number, end, keep_vms)
        logging.getLogger("zonebox").info("zone %s answers at %s", zone.name, zone.endpoints.oned)
        await zone.stop(keep_vms=await ended)
