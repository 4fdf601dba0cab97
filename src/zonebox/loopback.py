"""Free addresses of the loopback network, for zones that tests start side by side. It reserves nothing."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Sequence
from typing import Final

from zonebox.errors import ConfigError

PORTS: Final = (2633, 2474, 5030)
"""oned, OneFlow, OneGate."""
_TRIES: Final = 500


def free_address(ports: Sequence[int] = PORTS, *, dice: random.Random | None = None) -> str:
    """An address 127.x.y.1 on which ports are free; the network 127.x.y.0/24 is the caller's own.

    Args:
        ports: the ports.
        dice: chooses; two processes that begin alike would meet.

    Raises:
        ConfigError: none was free in 500 tries.
    """
    choose = dice or random.Random(os.urandom(8))  # noqa: S311 - a choice, not a secret
    for _ in range(_TRIES):
        # 127.1.x.y and its neighbours are what people choose by hand, and 127.254.x.y and its.
        address = f"127.{choose.randint(100, 200)}.{choose.randint(1, 254)}.1"
        if all(_free(address, port) for port in ports):
            return address
    raise ConfigError(
        f"ports {', '.join(map(str, ports))}",
        "all of them must be free on one address 127.100.x.1 to 127.200.x.1",
        f"none of {_TRIES} that were tried has them free: something listens on every address, or may not listen here",
        "Stop what listens on 0.0.0.0 there (`ss -ltn`), or give ports of your own.",
    )


def _free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
