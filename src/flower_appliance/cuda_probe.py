"""`python -m flower_appliance.cuda_probe`: asks the NVIDIA driver which cards it can use. It computes nothing.

Runs as the services' user, with the devices that they get: what works here works there. The driver's library is loaded
as it is installed (libcuda.so.1); calls and codes are those of NVIDIA's CUDA Driver API.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Sequence
from typing import Any

LIBRARY = "libcuda.so.1"
SUCCESS = 0
"""CUDA_SUCCESS."""
_NAME_BYTES = 128


def probe(library: str = LIBRARY) -> dict[str, Any]:
    """`cards`, their names, or `problem`, why there are none."""
    try:
        cuda = ctypes.CDLL(library)
    except OSError as error:
        return {"cards": [], "problem": f"{library} cannot be loaded: {error}"}
    status = cuda.cuInit(0)
    if status != SUCCESS:
        return {"cards": [], "problem": f"cuInit failed with status {status}"}
    count = ctypes.c_int(0)
    status = cuda.cuDeviceGetCount(ctypes.byref(count))
    if status != SUCCESS or count.value < 1:
        return {"cards": [], "problem": f"cuDeviceGetCount: status {status}, {count.value} cards"}
    cards = []
    for number in range(count.value):
        device, name = ctypes.c_int(0), ctypes.create_string_buffer(_NAME_BYTES)
        for call, arguments in (
            ("cuDeviceGet", (ctypes.byref(device), number)),
            ("cuDeviceGetName", (name, _NAME_BYTES, device)),
        ):
            status = getattr(cuda, call)(*arguments)
            if status != SUCCESS:
                return {"cards": [], "problem": f"{call} of card {number} failed with status {status}"}
        cards.append(name.value.decode(errors="replace"))
    return {"cards": cards, "problem": ""}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the answer as JSON; status 1 where no card can be used."""
    words = sys.argv[1:] if argv is None else list(argv)
    found = probe(*words[:1])
    print(json.dumps(found))
    return 1 if found["problem"] else 0


if __name__ == "__main__":
    sys.exit(main())
