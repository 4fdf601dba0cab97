"""What a process VM is given: folders and an address in its environment, CONTEXT and token in a folder. Reads only.

The variables are the contract of the process driver (docs/architecture.md). A machine of its own has none of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flower_appliance.errors import ApplianceError, Problem
from flower_appliance.machine import Machine
from flower_appliance.onegate import OneGateAccess
from flower_appliance.shellvars import read_assignments

_VARIABLES = ("VM_ID", "VM_ROOT", "VM_CONTEXT", "VM_ADDRESS")


@dataclass(frozen=True, kw_only=True)
class Guest:
    """One process VM, seen from within."""

    vm_mark: str
    """VM_ID; carried by every process of the VM so that its driver finds them."""
    root: Path
    context_folder: Path
    address: str
    bin_dir: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, bin_dir: Path | None = None) -> Guest:
        """Read the driver's variables.

        Raises:
            ApplianceError: one is missing.
        """
        missing = [name for name in _VARIABLES if not environment.get(name)]
        if missing:
            raise ApplianceError(
                str(
                    Problem(
                        given=f"{', '.join(missing)} not in the environment",
                        rule="`boot` needs all of " + ", ".join(_VARIABLES),
                        reason="they say where this VM's root, CONTEXT and address are",
                        remedy="Let a zone's process driver start it, or set them by hand for a trial",
                    )
                )
            )
        return cls(
            vm_mark=environment["VM_ID"],
            root=Path(environment["VM_ROOT"]),
            context_folder=Path(environment["VM_CONTEXT"]),
            address=environment["VM_ADDRESS"],
            # The interpreter of a virtual environment lies in its bin folder; resolving it would leave that folder.
            bin_dir=bin_dir or Path(sys.executable).parent,
        )

    def machine(self, vm_name: str) -> Machine:
        """The facts that a plan needs."""
        return Machine(
            root=self.root, loopback=self.address, address=self.address, bin_dir=self.bin_dir, vm_name=vm_name
        )

    def context_values(self) -> dict[str, str]:
        """Variables of the CONTEXT as it is now.

        Raises:
            ContextSyntaxError: context.sh is not a list of assignments.
            OSError: it cannot be read.
        """
        return read_assignments(self.context_folder / "context.sh")

    def token(self) -> str:
        """The OneGate token; empty where the VM has none."""
        try:
            return (self.context_folder / "token.txt").read_text().strip()
        except OSError:
            return ""

    def base_environment(self) -> dict[str, str]:
        """What every service gets: the mark of this VM, and nothing of the appliance's own Python path."""
        return {"VM_ID": self.vm_mark, **{name: os.environ[name] for name in ("TZ",) if name in os.environ}}


def onegate_access(values: Mapping[str, str], token: str, *, ca_file: Path | None) -> OneGateAccess | None:
    """How to reach OneGate, from unchecked CONTEXT values, so that even a refused CONTEXT can be reported.

    None where the zone offers no OneGate or gave no token.
    """
    endpoint, vm_id = values.get("ONEGATE_ENDPOINT", "").strip(), values.get("VMID", "").strip()
    if not endpoint.startswith(("http://", "https://")) or not vm_id or not token:
        return None
    return OneGateAccess(endpoint=endpoint, vm_id=vm_id, token=token, ca_file=ca_file)
