"""Whether KVM runs guests on this machine, found out by running one. It believes no device file.

/dev/kvm opens in places where a guest gets no further than its first modern instruction: on a nested host whose KVM
emulates what it cannot run (kvm-pvm, 2026-11-24), Linux stops in its own unpacking. The probe does what Linux does
there.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

PROBE_TIMEOUT_S: Final = 10.0
_EXIT_STATUS: Final = (0x10 << 1) | 1
"""What QEMU's isa-debug-exit device makes of the byte 0x10 that the guest writes (hw/misc/debugexit.c)."""

# A boot sector: set up an identity map of 2 MiB at 0x1000-0x3fff, PAE, long mode and paging; jump to 64-bit code; where
# CPUID leaf 7 says BMI2, execute `shlx %edx, %r8d, %r8d`; then `mov $0x10, %al; out %al, $0xf4; hlt`; and a GDT.
_PROBE: Final = bytes.fromhex(
    "fa31c08ed88ec08ed0bc0070bf00106631c0b9000c66f3ab66c70600100320000066c70600200330000066c706003083000000"
    "66b8001000000f22d80f20e06683c8200f22e066b9800000c00f32660d000100000f300f0116987c0f20c0660d010000800f22c0"
    "ea6c7c0800b80700000031c90fa20fbae3087305c44269f7c0b010e6f4f40f1f000000000000000000ffff0000009aaf000f00887c0000"
)


def kvm_runs(*, device: Path = Path("/dev/kvm"), qemu: str = "qemu-system-x86_64") -> bool:
    """Start the probe with KVM; whether it got to its end. Blocking, at most ten seconds.

    Args:
        device: KVM's device.
        qemu: the emulator.
    """
    return device.exists() and probe("kvm", cpu="host", qemu=qemu)


def probe(accelerator: str, *, cpu: str = "max", qemu: str = "qemu-system-x86_64") -> bool:
    """Whether the probe runs with an accelerator, `kvm` or `tcg`."""
    with tempfile.TemporaryDirectory(prefix="zonebox-probe-") as folder:
        sector = Path(folder) / "sector"
        sector.write_bytes(_PROBE.ljust(510, b"\0") + b"\x55\xaa")
        argv = [
            *(qemu, "-accel", accelerator, "-cpu", cpu, "-machine", "pc", "-m", "32M"),
            *("-nodefaults", "-display", "none", "-no-reboot"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
            *("-drive", f"file={sector},format=raw,if=ide"),
        ]
        try:
            finished = subprocess.run(argv, capture_output=True, timeout=PROBE_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return finished.returncode == _EXIT_STATUS
