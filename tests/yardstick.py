"""How many times slower than an idle machine this one is while something goes on beside it.

A limit in seconds that the product promises is meant for a machine that is there for it. The suite runs other tests
beside the one that looks, so such a limit is multiplied by this.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from types import TracebackType
from typing import Final

YARDSTICK: Final = """
import time
wall, cpu = time.monotonic(), time.process_time()
while time.process_time() - cpu < 0.5:
    pass
print((time.monotonic() - wall) / (time.process_time() - cpu))
"""
"""Needs half a second of a CPU, and says how many times longer it took: 1 on an idle machine."""
PAUSE_S: Final = 5.0
"""Between two measurements, so that measuring takes no more than a tenth of a CPU."""


class Slowdown:
    """Measures now and then while its block runs; at least once.

    Attributes:
        seen: how many times longer each measurement took than on an idle machine.
    """

    def __init__(self) -> None:
        self.seen: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)

    def __enter__(self) -> Slowdown:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def factor(self) -> float:
        """The mean; 1 at least. After the block."""
        return max(1.0, sum(self.seen) / len(self.seen))

    def _measure(self) -> None:
        while True:
            done = subprocess.run([sys.executable, "-c", YARDSTICK], stdout=subprocess.PIPE, text=True, check=True)
            self.seen.append(float(done.stdout))
            if self._stop.wait(PAUSE_S):
                return
