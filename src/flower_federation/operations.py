"""What `federation up`, `down` and `status` do, in which order, and when they are done. It talks to stacks and to the
SuperLink through two narrow interfaces and to no cloud.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from flower_federation.errors import InputError, ToolError
from flower_federation.stacks import Changes, StackFile
from flower_federation.trusted import answered_fingerprints

ONLINE_TIMEOUT_S = 180.0
"""A SuperNode whose key was refused tries again when its service manager restarts it; a killed one's key is free after
60 s (flwr 1.41.0, 2026-11-24)."""
POLL_S = 1.0


class StackOperations(Protocol):
    """What this module needs of `stacks.Stacks`."""

    def outputs(self, stack: StackFile) -> dict[str, Any] | None:
        """Outputs; None where there is no such stack."""
        ...

    def up(self, stack: StackFile) -> Changes:
        """Bring a stack up."""
        ...

    def destroy(self, stack: StackFile, *, remove: bool) -> Changes | None:
        """Take a stack down; None where there is no such stack."""
        ...


class NodeStates(Protocol):
    """Asks a SuperLink which nodes it knows."""

    def __call__(self, *, endpoint: str, ca_certificate: str) -> Mapping[str, str]:
        """State by node name: registered, online, offline. Raises ToolError where it does not answer."""
        ...


@dataclass(frozen=True, kw_only=True)
class Federation:
    """The stacks of this clone: one centre and its zones, or zones alone, whose centre somebody else runs."""

    own_central: StackFile | None
    zones: tuple[StackFile, ...]

    @property
    def central(self) -> StackFile:
        """The centre's stack.

        Raises:
            InputError: It is not in this clone.
        """
        if self.own_central is None:
            raise _one_centre("none")
        return self.own_central


@dataclass(frozen=True, kw_only=True)
class StackStatus:
    """A stack as it is."""

    stack: StackFile
    outputs: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class FederationStatus:
    """Stacks and nodes as they are."""

    stacks: tuple[StackStatus, ...]
    nodes: Mapping[str, str]
    """State by name."""
    trouble: str | None
    """Why the SuperLink could not be asked."""

    @property
    def central_outputs(self) -> Mapping[str, Any] | None:
        """Of the centre's stack; None where it does not exist."""
        return next((entry.outputs for entry in self.stacks if entry.stack.kind == "central"), None)


def choose(files: Sequence[StackFile], names: Iterable[str]) -> tuple[Federation, tuple[StackFile, ...]]:
    """The federation, and which of its stacks are meant.

    Args:
        files: All stack files.
        names: Names of stacks; none means all of them.

    Raises:
        InputError: A name has no file, there is no file, or there is more than one centre.
    """
    centrals = [stack for stack in files if stack.kind == "central"]
    if len(centrals) > 1 or not files:
        raise _one_centre(", ".join(stack.name for stack in centrals) or "none, nor of kind zone")
    known = {stack.name: stack for stack in files}
    wanted = list(names)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise InputError(
            given=f"stack {unknown[0]}",
            rule=f"a stack is one of {', '.join(known)}",
            reason="each stack is a file stacks/Pulumi.<name>.yaml",
            remedy="correct the name, or add the file",
        )
    federation = Federation(
        own_central=next(iter(centrals), None), zones=tuple(stack for stack in files if stack.kind == "zone")
    )
    chosen = tuple(stack for stack in files if not wanted or stack.name in wanted)
    return federation, chosen


def _one_centre(found: str) -> InputError:
    return InputError(
        given=f"stacks of kind central: {found}",
        rule="this command operates one federation, so exactly one stack is its centre",
        reason="zones come up after the centre, and the centre again after them",
        remedy="keep one file of kind central in stacks/; a zone whose centre others run has federation up, status, "
        "answer and down",
    )


class Operations:
    """Operations on a whole federation.

    Args:
        stacks: For single stacks.
        node_states: Asks the SuperLink.
        say: Prints one line of progress.
        clock: Monotonic seconds.
        wait: Sleeps for some seconds.
    """

    def __init__(
        self,
        *,
        stacks: StackOperations,
        node_states: NodeStates,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stacks = stacks
        self._node_states = node_states
        self._say = say
        self._clock = clock
        self._wait = wait

    def up(self, federation: Federation, chosen: Sequence[StackFile]) -> tuple[str, ...]:
        """Bring the chosen stacks up, enrol their nodes, and wait until every node is online.

        A zone that joined by a bundle has its centre elsewhere: it comes up, and its nodes wait to be enrolled there.

        Returns:
            The names of the nodes that are online; none where the centre is not ours.

        Raises:
            ToolError: A stack failed, or a node is not online in time.
        """
        zones = [stack for stack in chosen if stack.kind == "zone"]
        central = self.centre_of(federation, chosen)
        if central is not None and (central in chosen or self._stacks.outputs(central) is None):
            self._up(central)
        for zone in zones:
            self._up(zone)
        if central is None:
            return ()
        if self.unenrolled(federation):
            self._up(central)
        return self.wait_online(central)

    def centre_of(self, federation: Federation, chosen: Sequence[StackFile]) -> StackFile | None:
        """The centre of the chosen stacks if this clone runs it: it is chosen, up, or what a chosen zone refers to."""
        central = federation.own_central
        if central is None or central in chosen or any(stack.central == central.name for stack in chosen):
            return central
        return central if self._stacks.outputs(central) else None

    def unenrolled(self, federation: Federation) -> bool:
        """Whether the nodes that the trusted zones bring are not exactly those that the centre has registered."""
        outputs = self._stacks.outputs(federation.central) or {}
        registered = {entry["fingerprint"] for entry in outputs.get("registered_nodes", ())}
        brought = {
            entry["fingerprint"]
            for zone in federation.zones
            if zone.name in federation.central.trusted
            for entry in (self._stacks.outputs(zone) or {}).get("nodes", ())
            if not {entry.get("name"), entry["fingerprint"]} & set(federation.central.revoked)
        }
        answered = answered_fingerprints(federation.central.invited, revoked=federation.central.revoked)
        return registered != brought | set(answered)

    def wait_online(self, central: StackFile, *, timeout_s: float = ONLINE_TIMEOUT_S) -> tuple[str, ...]:
        """Wait until each registered node is online.

        Raises:
            ToolError: One is not, when the time is over.
        """
        outputs = self._stacks.outputs(central) or {}
        names = sorted(entry["name"] for entry in outputs.get("registered_nodes", ()))
        started = self._clock()
        told: float | None = None
        while names:
            states, trouble = self._ask_patiently(outputs)
            missing = [name for name in names if states.get(name) != "online"]
            seconds = self._clock() - started
            if not missing:
                break
            if seconds >= timeout_s:
                described = ", ".join(f"{name} ({states.get(name, 'not known to the SuperLink')})" for name in missing)
                raise ToolError(
                    given=f"nodes not online after {seconds:.0f} s: {described}{trouble}",
                    rule="every registered node comes online",
                    reason="a run waits for its nodes",
                    remedy="look at FL_ERROR of the node's VM (onevm show) and at its logs in /var/log/flower; "
                    "then run federation up again",
                )
            if told is None or seconds - told >= 5.0:
                told = seconds
                self._say(f"nodes online: {len(names) - len(missing)} of {len(names)} ({seconds:.0f} s)")
            self._wait(POLL_S)
        return tuple(names)

    def down(self, federation: Federation, chosen: Sequence[StackFile], *, remove: bool) -> None:
        """Take the chosen stacks down: zones first, then the centre; where the centre stays, it revokes their keys.

        Raises:
            ToolError: A stack failed.
        """
        zones = [stack for stack in chosen if stack.kind == "zone"]
        for zone in zones:
            self._down(zone, remove=remove)
        central = federation.own_central
        if central is None:
            self._say("their centre is not in this clone: its operator removes the zones, which revokes their keys")
        elif central in chosen:
            left = [zone.name for zone in federation.zones if zone not in zones and self._stacks.outputs(zone)]
            if left:
                self._say(f"{', '.join(left)}: still up, and without a centre after this")
            self._down(central, remove=remove)
        elif zones and self._stacks.outputs(central):
            self._say("revoking the keys of the zones that are gone")
            self._up(central)

    def status(self, federation: Federation) -> FederationStatus:
        """How the stacks and the nodes are; asks, and changes nothing."""
        files = (federation.own_central, *federation.zones)
        statuses = tuple(StackStatus(stack=stack, outputs=self._stacks.outputs(stack)) for stack in files if stack)
        asked = FederationStatus(stacks=statuses, nodes={}, trouble=None)
        outputs = asked.central_outputs
        if not outputs:
            return asked
        try:
            return replace(asked, nodes=dict(self._ask(outputs)))
        except ToolError as error:
            return replace(asked, trouble=str(error))

    def _ask_patiently(self, outputs: Mapping[str, Any]) -> tuple[Mapping[str, str], str]:
        """States, or none and why: a SuperLink that restarts at this moment is waited for as nodes are."""
        try:
            return self._ask(outputs), ""
        except ToolError as error:
            return {}, f"\n{error}"

    def _ask(self, outputs: Mapping[str, Any]) -> Mapping[str, str]:
        return self._node_states(
            endpoint=str(outputs["superlink_control_endpoint"]), ca_certificate=str(outputs["ca_certificate"])
        )

    def _up(self, stack: StackFile) -> None:
        started = self._clock()
        self._say(f"{stack.name}: up")
        changes = self._stacks.up(stack)
        self._say(f"{stack.name}: {changes} ({self._clock() - started:.1f} s)")

    def _down(self, stack: StackFile, *, remove: bool) -> None:
        started = self._clock()
        self._say(f"{stack.name}: destroy")
        changes = self._stacks.destroy(stack, remove=remove)
        outcome = "no such stack" if changes is None else str(changes)
        self._say(f"{stack.name}: {outcome} ({self._clock() - started:.1f} s)")
