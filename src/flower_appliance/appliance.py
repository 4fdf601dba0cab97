"""The running appliance: applies the plan, keeps services running, proves readiness, says so. It decides no content.

Everything that it must decide is in `plan`, `readiness`, `liveness` and `pace`; everything that it does is in
`configuring`, `supervisor` and `publisher`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from flower_appliance.apply import Applied, clear_obsolete, remember
from flower_appliance.audit_events import read_head
from flower_appliance.checks import Check
from flower_appliance.childwatch import ChildWatch
from flower_appliance.configuring import ServiceFiles, answer_request, configure
from flower_appliance.context import SuperNodeContext, read_context
from flower_appliance.contextwatch import ContextWatch
from flower_appliance.enrolment import Enrolment, ask_enrolment, may_start
from flower_appliance.errors import ApplianceError, OneGateError, Problem
from flower_appliance.liveness import Liveness
from flower_appliance.machine import LOGS, Machine
from flower_appliance.onegate import OneGate
from flower_appliance.pace import ASK_ENROLMENT_S, FAILURES_TO_WITHDRAW, is_logged, is_told, pause_s
from flower_appliance.plan import SUPERNODE_UNIT
from flower_appliance.planned import Plan
from flower_appliance.provisioning import Provisioning
from flower_appliance.publisher import Publisher, encoded
from flower_appliance.readiness import Verdict, run_checks
from flower_appliance.services import Host, MakeServices, no_files
from flower_appliance.supervisor import Finished, Listener, Program, Supervisor
from flower_appliance.version import FLOWER_VERSION

LOG = logging.getLogger(__name__)

_T = TypeVar("_T")


class _StoppedError(Exception):
    """Raised within `run` only, to leave it."""


class Appliance:
    """One VM's worth of Flower, from `run` until `ask_to_stop`."""

    def __init__(
        self,
        guest: Host,
        *,
        onegate: OneGate | None,
        secrets: tuple[str, ...] = (),
        make_services: MakeServices | None = None,
        service_files: ServiceFiles = no_files,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Run in `guest`, reporting through `onegate`.

        Args:
            secrets: texts that never reach a log.
            make_services: makes what runs the services; by default this process is their init.
            service_files: files that it needs for a plan, such as unit files.
            pause: sleeps for some seconds, between looks at the CONTEXT.
        """
        self._guest = guest
        self._onegate = onegate
        self._now = now
        self._clock = clock
        self._pause = pause
        self._publisher = Publisher(onegate, unix_time_s=lambda: now().timestamp())
        self._service_files = service_files
        logs = guest.machine("").path(LOGS)
        listener = Listener(on_start=self._on_start, on_line=self._on_line, on_exit=self._on_exit)
        self._supervisor = (
            make_services(logs, listener)
            if make_services is not None
            else Supervisor(logs=logs, base_environment=guest.base_environment(), listener=listener, secrets=secrets)
        )
        self._stopping = asyncio.Event()
        self._look = asyncio.Event()
        self._reconfigure = False
        self._named = ""
        """The VM's name that the plan was made for."""
        self._plan: Plan | None = None
        self._applied: Applied | None = None
        self._started_at = clock()
        self._ready = False
        self._failures = 0
        self._refusal = ""
        self._children = ChildWatch()
        self._provisioning = Provisioning(services=self._supervisor, clock=clock)
        self._liveness = Liveness()

    def ask_to_stop(self) -> None:
        """Stop everything in order; `run` returns when that is done."""
        if self._onegate is not None:
            self._onegate.stop_retrying()
        self._provisioning.stop()
        self._stopping.set()
        self._look.set()

    def ask_to_reconfigure(self) -> None:
        """Read the CONTEXT again and restart what it changes."""
        self._reconfigure = True
        self._look.set()

    async def run(self) -> None:
        """Boot, and stay until asked to stop."""
        self._supervisor.begin()
        self._publisher.set({"FL_STATE": "starting", "FL_READY": "NO", "FL_VERSION": FLOWER_VERSION})
        self._publisher.set({"FL_ERROR": "", "FL_NODE_ID": ""})  # of an earlier boot
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._meet_onegate()
            tasks.append(asyncio.create_task(self._publisher.run()))
            watch = ContextWatch(self._guest.context_values, pause=self._pause)
            tasks.append(asyncio.create_task(watch.run(self.ask_to_reconfigure)))
            await self._configure()
            while not self._stopping.is_set():
                await self._round()
                self._look.clear()
                if not self._stopping.is_set() and not self._reconfigure:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._look.wait(), self._pause_s())
                if self._reconfigure:
                    self._reconfigure = False
                    await self._configure()
        except _StoppedError:
            LOG.info("stopping")
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    LOG.error("a part of the appliance had ended: %r", outcome)
            await self._supervisor.stop()
            self._publisher.set({"FL_STATE": "offline", "FL_READY": "NO"})
            await self._publisher.flush()

    async def _unless_stopped(self, work: Callable[[], _T]) -> _T:
        """Run something slow in a thread, but do not wait for it once asked to stop."""
        return await self._until_stopped(asyncio.to_thread(work))

    async def _until_stopped(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for something, but no longer once asked to stop."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            raise _StoppedError
        return working.result()

    async def _meet_onegate(self) -> None:
        """Learn the VM's name, and take back what an earlier boot claimed; the publisher does it later otherwise."""
        if self._onegate is None:
            LOG.warning("no OneGate in this CONTEXT: attributes are written to this log only")
            return
        try:
            await self._until_stopped(self._publisher.meet())
        except OneGateError as error:
            LOG.warning("%s", error)

    async def _configure(self) -> None:
        """CONTEXT -> plan -> machine. A CONTEXT that is refused leaves running services as they are."""
        try:
            context = read_context(self._guest.context_values(), now=self._now())
            named = self._publisher.vm_name
            if isinstance(context, SuperNodeContext) and context.partition_id is None and not named:
                await self._meet_onegate()
                named = self._publisher.vm_name
            configured = await configure(
                context,
                self._guest.machine(named),
                services=self._supervisor,
                service_files=self._service_files,
                now=self._now(),
            )
        except (ApplianceError, OSError) as error:
            if self._refusal != str(error):
                LOG.error("%s", error)
            self._refusal = str(error)
            answer = await asyncio.to_thread(answer_request, self._guest.context_values, self._machine())
            self._publisher.set({"FL_ERROR": encoded(self._refusal), "FL_READY": "NO", **answer})
            return
        if configured is None:
            self.ask_to_stop()
            return
        self._refusal, self._named = "", named
        wanted, applied = configured.plan, configured.applied
        if self._plan is not None and self._plan.awaits_certificate and not wanted.awaits_certificate:
            self._ready = False  # what was proven was that the machine works without its gateway
        LOG.info("plan for a %s: wrote %s", wanted.role, ", ".join(applied.written) or "nothing")
        if wanted.awaits_certificate:
            LOG.info("no certificate for this machine's server key yet: the gateway waits for it")
        self._plan, self._applied = wanted, applied
        self._supervisor.set_log_level(context.log_level)
        self._publisher.set(
            {
                **wanted.attributes,
                "FL_NODE_PUBKEY": encoded(applied.public_key) if applied.public_key else "",
                "FL_SERVER_CSR": encoded(applied.server_request) if applied.server_request else "",
                "FL_SERVER_REQUEST": wanted.server_key.answer if wanted.server_key is not None else "",
                "FL_ERROR": "",
            }
        )
        if not wanted.units_wait_for_checks and self._provisioning.is_done(wanted.provisions):
            await self._start_units()

    async def _start_units(self) -> None:
        if self._plan is None or self._applied is None:
            return
        changed = [name for name in self._applied.changed_units if self._supervisor.status(name).starts]
        if changed:
            LOG.info("restarting %s: its configuration changed", ", ".join(changed))
        self._started_at = self._clock()
        reloading = [
            name
            for name in self._applied.reloading_units
            if name not in changed and self._supervisor.status(name).starts
        ]
        if SUPERNODE_UNIT in changed:
            # Told by whatever runs it only a little later: until then nothing that the old process reached counts.
            self._liveness = self._liveness.exited()
        await self._supervisor.reconcile(self._plan.units, changed=changed)
        for name in reloading:
            LOG.info("reloading %s: its files changed", name)
            if not await self._supervisor.reload(name):
                await self._supervisor.restart(name)
        machine = self._machine()
        try:
            remember(self._applied, machine)
            clear_obsolete(self._plan, machine)
        except OSError as error:
            LOG.error("what is no longer used stays, or services start anew with the next boot: %s", error)
        self._applied = replace(self._applied, changed_units=(), reloading_units=())

    async def _round(self) -> None:
        """One look at everything that must hold; what cannot be looked at does not."""
        try:
            await self._look_at_everything()
        except (ApplianceError, OSError) as error:
            problem = Problem(
                given=f"this machine could not be looked at ({error})",
                rule="every check must come to an end",
                reason="what is not proven may not be so",
                remedy="Read appliance.log in /var/log/flower, and look at its disks; it is looked at again",
            )
            self._failed([problem])
            self._publish_state()

    async def _look_at_everything(self) -> None:
        if self._plan is None or self._refusal or self._named != self._publisher.vm_name:
            # The clock, the disk, OneGate or the CONTEXT itself may have been put right meanwhile.
            await self._configure()
        if self._plan is None or self._stopping.is_set():
            return
        if not self._provisioning.is_done(self._plan.provisions):
            missing = await self._until_stopped(self._provisioning.bring(self._plan.provisions, self._machine()))
            if missing is not None:
                self._failed([missing])
                self._publish_state()
                return
            if not self._plan.units_wait_for_checks:
                await self._start_units()
        checks = self._plan.checks
        verdicts = await self._unless_stopped(self._checked(checks))
        problems = [verdict.problem for verdict in verdicts if verdict.problem is not None]
        if problems:
            self._failed(problems)
        else:
            await self._passed()
            if self._plan.units_wait_for_checks:
                await self._admit(self._plan)
            self._acknowledge(self._plan)
        await self._heal_children()
        self._publish_state()

    def _checked(self, checks: Sequence[Check]) -> Callable[[], list[Verdict]]:
        """The checks as work for a thread; programs that they need are run by the event loop."""
        loop = asyncio.get_running_loop()

        def run(program: Program) -> Finished:
            return asyncio.run_coroutine_threadsafe(self._supervisor.run_once(program), loop).result()

        return lambda: run_checks(checks, has_child=self._supervisor.has_child, run=run)

    async def _passed(self) -> None:
        self._failures = 0
        if not self._ready:
            LOG.info("every check passed")
        self._ready = True
        self._publisher.set(
            {
                "READY": "YES",
                "FL_READY": "NO" if self._refusal else "YES",
                "FL_ERROR": encoded(self._refusal) if self._refusal else "",
            }
        )

    async def _admit(self, plan: Plan) -> None:
        """Run services that wait for checks and enrolment; stop them while the SuperLink knows no such key."""
        running = any(self._supervisor.status(unit.name).starts for unit in plan.units)
        if plan.enrolment is not None and not self._liveness.connected:
            question = plan.enrolment
            answer = await self._unless_stopped(lambda: ask_enrolment(question, now=self._now()))
            if not may_start(answer, refused=self._liveness.refused) and not self._liveness.connected:
                if answer is Enrolment.UNKNOWN_KEY:
                    if running or not self._liveness.refused:
                        LOG.info(
                            "the SuperLink does not know this node's key yet; asking again every %.0f s",
                            ASK_ENROLMENT_S,
                        )
                    self._liveness = self._liveness.turned_away()
                await self._supervisor.reconcile((), changed=())
                return
        if not running or (self._applied is not None and self._applied.changed_units):
            await self._start_units()

    def _acknowledge(self, plan: Plan) -> None:
        """Tell that this CONTEXT is in effect: every check has passed with it, and an enrolled node is back online.

        Whoever changes the CONTEXT of many machines waits for this before the next one: so never more than a few are
        away at a time.
        """
        enrolled = plan.enrolment is not None and not self._liveness.refused
        if plan.revision and not plan.awaits_certificate and not (enrolled and not self._liveness.connected):
            self._publisher.set({"FL_CONTEXT_REVISION": plan.revision})

    def _failed(self, problems: list[Problem]) -> None:
        self._failures += 1
        text = "\n".join(map(str, problems))
        waits = self._plan is not None and self._plan.units_wait_for_checks
        starting_s = None if waits else self._clock() - self._started_at
        if not is_told(ready=self._ready, failures=self._failures, starting_s=starting_s):
            return
        if is_logged(self._failures):
            LOG.warning("%s", text)
        self._publisher.set({"FL_READY": "NO", "FL_ERROR": encoded(text)})

    def _pause_s(self) -> float:
        return pause_s(
            configured=self._plan is not None,
            ready=self._ready,
            failures=self._failures,
            worried=self._children.worried,
            admitted=self._plan is None or self._plan.enrolment is None or self._liveness.connected,
        )

    async def _heal_children(self) -> None:
        """Restart a unit whose child is gone for good while the unit itself lives on."""
        for unit in self._plan.units if self._plan is not None and self._ready else ():
            if not unit.child:
                continue
            status = self._supervisor.status(unit.name)
            has_child = await asyncio.to_thread(self._supervisor.has_child, unit.name, unit.child)
            if self._children.look(unit.name, pid=status.pid, running_s=status.running_s, has_child=has_child):
                LOG.warning("%s has lost its %s and is restarted", unit.name, unit.child)
                await self._supervisor.restart(unit.name)

    def _publish_state(self) -> None:
        if not self._ready or self._plan is None:
            state = "starting"
        elif self._plan.awaits_certificate:
            state = "waiting"
        elif self._plan.role == "supernode":
            state = self._liveness.state
        else:
            state = "offline" if self._failures >= FAILURES_TO_WITHDRAW else "online"
        attributes: Mapping[str, str] = {"FL_STATE": state}
        if self._liveness.node_id:
            attributes = {**attributes, "FL_NODE_ID": self._liveness.node_id}
        if self._plan is not None and self._plan.role == "superlink":
            attributes = {**attributes, "FL_AUDIT_HEAD": read_head(self._machine())}
        self._publisher.set(attributes)

    def _machine(self) -> Machine:
        return self._guest.machine(self._named)

    def _on_start(self, unit: str) -> None:
        if unit == SUPERNODE_UNIT:
            self._liveness = self._liveness.started()

    def _on_line(self, unit: str, line: str) -> None:
        if unit == SUPERNODE_UNIT:
            self._liveness = self._liveness.said(line)
            self._publish_state()

    def _on_exit(self, unit: str, status: int) -> None:
        if unit == SUPERNODE_UNIT:
            self._liveness = self._liveness.exited()
            self._publish_state()
