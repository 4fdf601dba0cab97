"""A machine of its own, seen from within: where its CONTEXT is and what address it has. Mounts nothing, reads only.

The CONTEXT is looked for in three places, in this order:

/run/flower/context   the CONTEXT disk, mounted read-only by run-flower-context.mount (KVM, and every other hypervisor
                      that shows a disk with the label CONTEXT)
/context              a folder of the same content, as OpenNebula's LXC driver binds it into a container
/run/one-context      the copy that one-context keeps where that package does the contextualisation (no token there)
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flower_appliance.errors import ApplianceError, Problem
from flower_appliance.machine import Machine
from flower_appliance.shellvars import read_assignments

PLACES = (
    "/run/flower/context/context.sh",
    "/context/context.sh",
    "/run/one-context/context.sh.network",
    "/run/one-context/context.sh.local",
)
SERVICE_USER = "flower"
SYSTEMD_RUNS = Path("/run/systemd/system")
"""Exists if and only if systemd is the init of this machine (sd_booted(3))."""
_TEST_ADDRESS = ("192.0.2.1", 9)
"""TEST-NET-1 (RFC 5737): never sent to; asks the kernel only which source address a route would use."""


@dataclass(frozen=True, kw_only=True)
class MachineGuest:
    """A virtual machine or container with an init and addresses of its own."""

    context_file: Path
    root: Path = Path("/")
    bin_dir: Path
    service_user: str = SERVICE_USER

    @classmethod
    def find(cls, *, root: Path = Path("/"), places: Sequence[str] = PLACES) -> MachineGuest:
        """The machine that this program runs on.

        Raises:
            ApplianceError: no CONTEXT has appeared yet.
        """
        for place in places:
            path = root / place.lstrip("/")
            if path.is_file():
                return cls(context_file=path, root=root, bin_dir=Path(sys.executable).parent)
        raise ApplianceError(
            str(
                Problem(
                    given=f"none of {', '.join(places)} exists",
                    rule="one of them must hold the CONTEXT",
                    reason="the role, the federation's CA and everything else come from it",
                    remedy="Give the VM template a CONTEXT section; the disk that OpenNebula makes of it has the label "
                    "CONTEXT. This is looked for again in a moment",
                )
            )
        )

    def machine(self, vm_name: str) -> Machine:
        """The facts that a plan needs."""
        return Machine(
            root=self.root,
            loopback="127.0.0.1",
            address=self._address(),
            bin_dir=self.bin_dir,
            vm_name=vm_name,
            service_user=self.service_user,
        )

    def context_values(self) -> dict[str, str]:
        """Variables of the CONTEXT as it is now.

        Raises:
            ContextSyntaxError: context.sh is not a list of assignments.
            OSError: it cannot be read.
        """
        return read_assignments(self.context_file)

    def token(self) -> str:
        """The OneGate token; empty where the VM has none."""
        try:
            return self.context_file.with_name("token.txt").read_text().strip()
        except OSError:
            return ""

    def base_environment(self) -> dict[str, str]:
        """Nothing: systemd starts services with an environment of its own."""
        return {}

    def _address(self) -> str:
        """ETH0_IP, or, where the network assigns addresses by itself, the one that outgoing connections use."""
        try:
            given = self.context_values().get("ETH0_IP", "").strip()
        except (ApplianceError, OSError):
            given = ""
        if given:
            return given
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(_TEST_ADDRESS)
            except OSError:
                return "127.0.0.1"
            return str(probe.getsockname()[0])


def runs_systemd(marker: Path = SYSTEMD_RUNS) -> bool:
    """Whether this is a machine of its own: systemd is its init, and no driver of process VMs started this program."""
    return marker.is_dir() and not os.environ.get("VM_ROOT")
