"""The control API of a zone, for tests: faults, guests that die or freeze, full datastores, time, counts of requests.

    from zonebox.control import Control

    control = Control(state_folder)
    control.fail("one.vm.action", times=2)

It is served on a unix socket in the zone's folder, and only where the zone was started with `--control`.
"""

from zonebox.control.client import Control, FaultReport

__all__ = ["Control", "FaultReport"]
