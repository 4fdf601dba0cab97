"""Renewing what a federation trusts while it works: server certificate, CA, a node's key. In which order, with which
checks in between, and how long each step took. It talks to stacks and to the SuperLink through narrow interfaces.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from components.authorities import CaPlan
from components.centre_certificates import RENEW_CA, is_moving
from components.server_key import VM
from flower_federation.errors import InputError, ToolError
from flower_federation.operations import Federation
from flower_federation.stacks import PROJECT, Changes, StackFile

HANDSHAKE_TIMEOUT_S = 10.0
STAGES = ("trust-both", "switch", "retire")
"""What `federation rotate ca` does, one after the other."""

_PKI = "flower:index:FederationPKI"
_KINDS = {
    "server": "tls:index/locallySignedCert:LocallySignedCert",
    "server-key": "tls:index/privateKey:PrivateKey",
    "ca": "tls:index/selfSignedCert:SelfSignedCert",
}


class RotatingStacks(Protocol):
    """What this module needs of `stacks.Stacks`."""

    def outputs(self, stack: StackFile) -> dict[str, Any] | None:
        """Outputs; None where there is no such stack."""
        ...

    def up(self, stack: StackFile, *, replace: Sequence[str] = ()) -> Changes:
        """Bring a stack up, making these resources anew whether they changed or not."""
        ...

    def config(self, stack: StackFile) -> Mapping[str, Any]:
        """What the stack's file says, without the project's prefix."""
        ...

    def set_config(self, stack: StackFile, values: Mapping[str, str]) -> None:
        """Write settings by their paths into the stack's file."""
        ...


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step that was done."""

    what: str
    seconds: float


class Rotation:
    """Rotates what is asked for, and proves it.

    Args:
        stacks: For single stacks.
        wait_online: Waits until every registered node is online, and returns their names.
        served: Fingerprint of the certificate that a TLS server at `host:port` shows to who trusts a CA (PEM).
        say: Prints one line of progress.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        stacks: RotatingStacks,
        wait_online: Callable[[StackFile], tuple[str, ...]],
        served: Callable[[str, str], str],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stacks = stacks
        self._wait_online = wait_online
        self._served = served
        self._say = say
        self._clock = clock

    def server_certificate(self, federation: Federation, *, new_key: bool = False) -> tuple[Step, ...]:
        """Replace the SuperLink's certificate while it serves; no node and no run notices. One that has ended, too.

        Args:
            federation: Whose.
            new_key: Make a new key for it, too.

        Raises:
            InputError: The centre is not up, or its certificates come from another CA, or still did.
            ToolError: The engine failed, or the old certificate is served still.
        """
        central = federation.central
        outputs = self._require_own_ca(central)
        _refuse_moving(outputs, central)
        # Not what is served: nobody can be shown a certificate that has ended.
        before = fingerprint(str(outputs["server_certificate"]))
        names = ["server"]
        if new_key and self._key_is_the_vms(central):
            # Another key is another request, and with it another certificate: nothing has to be replaced by name.
            names = []
            epoch = int((self._stacks.config(central).get("superlink") or {}).get("serverKeyEpoch", 0)) + 1
            self._stacks.set_config(central, {"superlink.serverKeyEpoch": str(epoch)})
            self._say(f"stacks/Pulumi.{central.name}.yaml: superlink.serverKeyEpoch is {epoch}")
        elif new_key:
            names = ["server-key", "server"]
        urns = [urn(central.name, str(outputs["federation"]), name) for name in names]
        steps = [self._step("server certificate made, and taken by the gateway", lambda: self._up(central, urns))]
        outputs = self._require_own_ca(central)
        after = self._shown(outputs)
        if after == before or after != fingerprint(str(outputs["server_certificate"])):
            raise ToolError(
                given=f"{outputs['superlink_fleet_endpoint']} shows the certificate {after}",
                rule=f"it shows the new one, {fingerprint(str(outputs['server_certificate']))}",
                reason="the SuperLink's VM was given it and has acknowledged it",
                remedy="read /var/log/flower/appliance.log and flower-gateway.log in the SuperLink's VM, then run this "
                "again",
            )
        steps.append(self._online(central))
        return tuple(steps)

    def ca(self, federation: Federation, stage: str | None = None) -> tuple[Step, ...]:
        """Let the next CA take over: one stage, or all that are left, each checked before the next begins.

        Raises:
            InputError: The stage is not the next one, or a zone has to be told by a file in between.
            ToolError: The engine failed, or a zone does not trust what it should.
        """
        _refuse_moving(self._require_own_ca(federation.central), federation.central)
        plan = self.plan(federation.central)
        if plan.stage == "steady" and not self._is_settled(federation):
            # The file is ahead of what is up: `retire` was cut off once it was written. Another CA needs another call.
            if stage not in (None, "retire"):
                raise _not_next(stage, "retire", f"CA {plan.generation} is to be alone, and is not yet")
            return self._carry_out(federation, "retire")
        left = [step for step in STAGES if STAGES.index(step) >= _done(plan)]
        if stage is not None and stage != left[0]:
            raise _not_next(stage, left[0], f"CA {plan.generation} is at {plan.stage}")
        if stage is None and federation.central.invited:
            names = ", ".join(zone.name for zone in federation.central.invited)
            raise InputError(
                given=f"zones that join by a file: {names}",
                rule="with such zones a CA is rotated stage by stage",
                reason="their operators need a new bundle, and a new pin, before the new CA signs",
                remedy=f"federation rotate ca --stage {left[0]}; then send each zone a new bundle (federation invite) "
                "and go on when each has run pulumi up with it",
            )
        return tuple(step for each in ([stage] if stage else left) for step in self._stage(federation, each))

    def renew_ca(self, federation: Federation) -> tuple[Step, ...]:
        """Make the CA's certificate anew with the key that it has, and tell every zone; also where it has ended.

        Where the centre has just given up an operator's own CA, this makes the federation's, with another key.

        Raises:
            InputError: The centre is not up, or its certificates come from another CA.
            ToolError: The engine failed, or a zone does not trust what it should.
        """
        central = federation.central
        outputs = self._require_own_ca(central)
        # The engine refuses to replace what the stack does not have yet (engine 3.259.0, 2026-11-24).
        trusted = () if is_moving(outputs) else self.plan(central).trusted
        urns = [urn(central.name, str(outputs["federation"]), authority_name(number)) for number in trusted]
        steps = [self._step("CA certificate made, with its key", lambda: self._up(central, urns))]
        zones = [zone for zone in federation.zones if self._stacks.outputs(zone)]
        steps += [self._step(f"{zone.name} trusts it", lambda zone=zone: self._up(zone)) for zone in zones]  # type: ignore[misc]
        self._require_trust(federation, zones)
        self._shown(self._require_own_ca(central))
        if central.invited:
            names = ", ".join(zone.name for zone in central.invited)
            self._say(f"{names}: send each a new bundle (federation invite); its nodes are back after its pulumi up")
            return tuple(steps)
        return (*steps, self._online(central))

    def rekey(self, federation: Federation, node: str) -> tuple[Step, ...]:
        """Let one node make a new key, and enrol it.

        Args:
            federation: Whose.
            node: Its name, such as berlin/supernode-1.

        Raises:
            InputError: There is no such node in a zone of this backend, or the centre keeps it out by name.
        """
        zone_name, _, short = node.partition("/")
        zone = next((stack for stack in federation.zones if stack.zone == zone_name), None)
        brought = [] if zone is None else (self._stacks.outputs(zone) or {}).get("nodes", ())
        if zone is None or node not in [entry["name"] for entry in brought]:
            raise InputError(
                given=f"node {node}",
                rule="it is a node of a zone whose stack is in this backend",
                reason="the zone tells its VMs to make keys",
                remedy="federation status shows the nodes; another organisation's operator runs this command there",
            )
        if node in federation.central.revoked:
            raise InputError(
                given=f"node {node}: in `revoked` of {federation.central.name}",
                rule="a node that comes back is not kept out by its name",
                reason="the centre would not register the new key",
                remedy=f"remove {node} from revoked in stacks/Pulumi.{federation.central.name}.yaml, or list its old "
                "key's fingerprint there instead",
            )
        listed = [str(entry) for entry in self._stacks.config(zone).get("nodeKeyEpochs") or ()]
        index, epoch = next_epoch(listed, short)
        self._stacks.set_config(zone, {f"nodeKeyEpochs[{index}]": f"{short}:{epoch}"})
        self._say(f"stacks/Pulumi.{zone.name}.yaml: nodeKeyEpochs has {short}:{epoch}")
        return (
            self._step(f"{node} made a new key", lambda: self._up(zone)),
            self._step("the centre knows it and has forgotten the old one", lambda: self._up(federation.central)),
            self._online(federation.central),
        )

    def plan(self, central: StackFile) -> CaPlan:
        """Where the centre's CA stands, by its file."""
        found = self._stacks.config(central).get("caRollover") or {}
        return CaPlan(generation=int(found.get("generation", 1)), stage=found.get("stage", "steady"))

    def _is_settled(self, federation: Federation) -> bool:
        """Whether the centre presents one CA, and every zone that is up trusts that one alone."""
        presented = _fingerprints(self._stacks.outputs(federation.central))
        zones = [outputs for zone in federation.zones if (outputs := self._stacks.outputs(zone))]
        return len(presented) == 1 and all(_fingerprints(outputs) == presented for outputs in zones)

    def _stage(self, federation: Federation, stage: str) -> tuple[Step, ...]:
        central, zones = federation.central, [zone for zone in federation.zones if self._stacks.outputs(zone)]
        if stage == "switch":
            self._require_both(central)
            self._require_trust(federation, zones)
        plan = self.plan(central).next()
        self._stacks.set_config(
            central, {"caRollover.generation": str(plan.generation), "caRollover.stage": plan.stage}
        )
        self._say(f"stacks/Pulumi.{central.name}.yaml: caRollover is generation {plan.generation}, {plan.stage}")
        return self._carry_out(federation, stage)

    def _carry_out(self, federation: Federation, stage: str) -> tuple[Step, ...]:
        """Bring up what the centre's file says of a stage, and prove it."""
        central, zones = federation.central, [zone for zone in federation.zones if self._stacks.outputs(zone)]
        steps = [self._step(f"{stage}: {central.name}", lambda: self._up(central))]
        if stage != "switch":
            steps += [self._step(f"{stage}: {zone.name}", lambda zone=zone: self._up(zone)) for zone in zones]  # type: ignore[misc]
        self._require_trust(federation, zones)
        outputs = self._require_own_ca(central)
        self._shown(outputs)
        return (*steps, self._online(central))

    def _require_both(self, central: StackFile) -> None:
        presented = str((self._stacks.outputs(central) or {})["ca_fingerprint"]).split()
        if len(presented) == 1:
            raise ToolError(
                given=f"{central.name} presents one CA, {presented[0]}, and its file says trust-both",
                rule="it presents both before the new one signs",
                reason="the update that should have made the second one did not come to its end",
                remedy="run federation up, see what it says, and run this again",
            )

    def _require_trust(self, federation: Federation, zones: Sequence[StackFile]) -> None:
        presented = _fingerprints(self._stacks.outputs(federation.central))
        for zone in zones:
            trusted = _fingerprints(self._stacks.outputs(zone))
            if trusted != presented:
                raise ToolError(
                    given=f"{zone.name} trusts {', '.join(sorted(trusted)) or 'nothing'}",
                    rule=f"it trusts what the centre presents: {', '.join(sorted(presented))}",
                    reason="its nodes would be locked out by the next stage",
                    remedy=f"run federation up {zone.name}, see what it says, and run this again",
                )

    def _require_own_ca(self, central: StackFile) -> dict[str, Any]:
        outputs = self._stacks.outputs(central)
        if not outputs:
            raise InputError(
                given=f"stack {central.name}: not up",
                rule="a federation is rotated while it is up",
                reason="what is not served needs no rotation: federation up makes what is due",
                remedy="run federation up first",
            )
        if self._stacks.config(central).get("ca"):
            raise InputError(
                given=f"stack {central.name}: ca is set",
                rule="only certificates of the federation's own CA are made here",
                reason="the key of your CA is not given to this program",
                remedy="put the renewed certificate into the file that ca names, and run federation up",
            )
        return outputs

    def _key_is_the_vms(self, central: StackFile) -> bool:
        return str((self._stacks.config(central).get("superlink") or {}).get("serverKey", VM)) == VM

    def _shown(self, outputs: Mapping[str, Any]) -> str:
        return self._served(str(outputs["superlink_fleet_endpoint"]), str(outputs["ca_certificate"]))

    def _online(self, central: StackFile) -> Step:
        return self._step("every registered node online", lambda: self._wait_online(central))

    def _up(self, stack: StackFile, replace: Sequence[str] = ()) -> None:
        self._say(f"{stack.name}: {self._stacks.up(stack, replace=replace)}")

    def _step(self, what: str, work: Callable[[], object]) -> Step:
        started = self._clock()
        work()
        step = Step(what=what, seconds=self._clock() - started)
        self._say(f"{step.what} ({step.seconds:.1f} s)")
        return step


def _fingerprints(outputs: Mapping[str, Any] | None) -> set[str]:
    """Of the CAs that a centre presents, or a zone trusts."""
    return set(str((outputs or {}).get("ca_fingerprint", "")).split())


def _not_next(stage: str | None, expected: str, why: str) -> InputError:
    return InputError(
        given=f"--stage {stage}",
        rule=f"the next stage is {expected}: {why}",
        reason="a stage that is left out leaves nodes without a CA that they trust",
        remedy=f"use --stage {expected}, or leave --stage out for all that are left",
    )


def _refuse_moving(outputs: Mapping[str, Any], central: StackFile) -> None:
    if is_moving(outputs):
        raise InputError(
            given=f"stack {central.name}: its CA is still the one that ca named",
            rule="what the federation's own CA signed is rotated once it has signed",
            reason="the next update makes another CA, and nodes are locked out until their zones trust it",
            remedy=f"run {RENEW_CA}, which makes it and tells every zone whose stack is in this backend",
        )


def urn(stack: str, federation: str, name: str) -> str:
    """The engine's name for a resource of FederationPKI.

    Args:
        stack: Short name of the central stack.
        federation: The component's name.
        name: `server`, `server-key`, or of `authority_name`.
    """
    kind = _KINDS.get(name, _KINDS["ca"])
    return f"urn:pulumi:{stack}::{PROJECT}::{_PKI}${kind}::{federation}-{name}"


def authority_name(generation: int) -> str:
    """The end of a CA's name as a resource; the first has no number."""
    return "ca" if generation == 1 else f"ca-{generation}"


def next_epoch(listed: Sequence[str], node: str) -> tuple[int, int]:
    """Where in `nodeKeyEpochs` a node stands, or will, and its next count.

    Args:
        listed: Entries such as `supernode-1:2`.
        node: The end of its name.
    """
    for index, entry in enumerate(listed):
        name, _, count = entry.partition(":")
        if name == node:
            return index, int(count) + 1
    return len(listed), 1


def fingerprint(pem: str) -> str:
    """sha256 of the first certificate's DER in a PEM text, in hex."""
    first = pem[: pem.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()


def served_certificate(endpoint: str, ca_certificate: str) -> str:
    """Fingerprint of the certificate that a server shows, once the CA has vouched for it.

    Raises:
        ToolError: It does not answer, or shows a certificate that the CA does not vouch for.
    """
    host, _, port = endpoint.rpartition(":")
    context = ssl.create_default_context(cadata=ca_certificate)
    try:
        with (
            socket.create_connection((host, int(port)), HANDSHAKE_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as tls,
        ):
            return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()
    except OSError as error:
        raise ToolError(
            given=f"{endpoint}: {error}",
            rule="the SuperLink's gateway shows a certificate that the federation's CA vouches for",
            reason="nodes verify it in the same way",
            remedy="run federation status, and look at FL_ERROR of the SuperLink's VM (onevm show)",
        ) from error


def _done(plan: CaPlan) -> int:
    """How many stages of the present rollover are behind."""
    return {"steady": 0, "trust-both": 1, "switch": 2}[plan.stage]
