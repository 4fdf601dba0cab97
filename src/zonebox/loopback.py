"""Free addresses of the loopback network, for zones that tests start side by side. It reserves nothing."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Sequence
from typing import Final

PORTS: Final = (2633, 2474, 5030)
"""oned, OneFlow, OneGate."""
_TRIES: Final = 500


def free_address(ports: Sequence[int] = PORTS, *, dice: random.Random | None = None) -> str:
    """An address 127.x.y.1 on which ports are free; the network 127.x.y.0/24 is the caller's own.

    Args:
        ports: the ports.
        dice: chooses; two processes that begin alike would meet.

    Raises:
        RuntimeError: none was free in 500 tries.
    """
    choose = dice or random.Random(os.urandom(8))  # noqa: S311 - a choice, not a secret
    for _ in range(_TRIES):
        # 127.1.x.y and its neighbours are what people choose by hand, and 127.254.x.y and its.
        address = f"127.{choose.randint(100, 200)}.{choose.randint(1, 254)}.1"
        if all(_free(address, port) for port in ports):
            return address
    raise RuntimeError(f"no loopback address with ports {', '.join(map(str, ports))} free in {_TRIES} tries")


def _free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
