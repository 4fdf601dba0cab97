"""When a machine is looked at again, and from when on a failure is told: decided from numbers. It waits for nothing."""

from __future__ import annotations

CHECK_SOON_S = 1.0
"""Between checks until the machine is ready."""
CHECK_FAILING_S = 5.0
"""Between checks that have failed many times in a row, and between looks at a CONTEXT that is refused."""
FAILURES_TO_SLOW_DOWN = 60
ASK_ENROLMENT_S = 2.0
"""Between questions whether the node's key is enrolled; each leaves a line in the SuperLink's log."""
CHECK_LATER_S = 15.0
"""Between checks of a machine that is ready."""
STARTING_GRACE_S = 20.0
"""A service that has not answered for this long since its start is reported as failing (SuperLink: 2-5 s, measured)."""
FAILURES_TO_WITHDRAW = 2
"""In a row, before a machine that was ready is said not to be."""


def pause_s(*, configured: bool, ready: bool, failures: int, worried: bool, admitted: bool) -> float:
    """Seconds until the next look.

    Args:
        configured: Whether there is a plan.
        ready: Whether every check has passed.
        failures: Checks that have failed in a row.
        worried: Whether a service may have lost its child.
        admitted: Whether nobody has to be asked, or the SuperLink has let this node in.
    """
    if not configured or failures > FAILURES_TO_SLOW_DOWN:
        return CHECK_FAILING_S
    if not ready or failures or worried:
        return CHECK_SOON_S
    return CHECK_LATER_S if admitted else ASK_ENROLMENT_S


def is_told(*, ready: bool, failures: int, starting_s: float | None) -> bool:
    """Whether a failed check is told already.

    Args:
        ready: Whether every check has passed before.
        failures: Checks that have failed in a row, this one included.
        starting_s: Seconds since services that the checks look at were started; None: they wait for the checks.
    """
    if ready:
        return failures >= FAILURES_TO_WITHDRAW
    return starting_s is None or starting_s >= STARTING_GRACE_S


def is_logged(failures: int) -> bool:
    """Whether a failure that is told goes to the log, too: the first ones, and now and then one after them."""
    return failures <= FAILURES_TO_WITHDRAW or failures % 20 == 0
