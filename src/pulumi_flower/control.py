"""A client of a Flower SuperLink's Control API: it registers, lists and unregisters nodes, and lists and follows runs.

It refuses to guess: what the SuperLink does not say is an error, and a node id is an int or a decimal text, never a
float. It starts no run (that needs Flower's own packing of apps) and offers nothing that would skip TLS.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, NoReturn

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from pulumi_flower import messages
from pulumi_flower.errors import BadAnswerError, KeyRevokedError, KeyTakenError, RefusedError
from pulumi_flower.identity import ClientIdentity
from pulumi_flower.keys import NodeKey, parse_spki_pem
from pulumi_flower.transport import Endpoint, Transport, tls_context

REGISTER_NODE: Final = "/v1/control/register-node"
UNREGISTER_NODE: Final = "/v1/control/unregister-node"
LIST_NODES: Final = "/v1/control/list-nodes"
LIST_RUNS: Final = "/v1/control/list-runs"
STOP_RUN: Final = "/v1/control/stop-run"
STREAM_LOGS: Final = "/v1/control/stream-logs"
ROUTES: Final = {
    "RegisterNode": REGISTER_NODE,
    "UnregisterNode": UNREGISTER_NODE,
    "ListNodes": LIST_NODES,
    "ListRuns": LIST_RUNS,
    "StopRun": STOP_RUN,
    "StreamLogs": STREAM_LOGS,
}

RUN_ID_NOT_FOUND: Final = 16
RUN_ALREADY_FINISHED: Final = 18
PUBLIC_KEY_ALREADY_IN_USE: Final = 23
NODE_NOT_FOUND: Final = 24
"""Codes of flwr.supercore.error.ApiErrorCode, flwr 1.41.0; tests/parity/test_flower_control_api.py compares them."""

DEFAULT_TIMEOUT_S: Final = 10.0
MAX_ID: Final = 2**64 - 1


class NodeState(Enum):
    """What the SuperLink says of a node (flwr.supercore.constant.NodeStatus, flwr 1.41.0)."""

    REGISTERED = "registered"
    ONLINE = "online"
    OFFLINE = "offline"
    UNREGISTERED = "unregistered"


@dataclass(frozen=True, kw_only=True)
class Node:
    """One SuperNode that the SuperLink knows, or knew.

    Attributes:
        node_id: its id; exceeds 2^53 more often than not.
        name: the name it was registered under, None where none was given.
        state: registered (never seen), online, offline, or unregistered for good.
        key: its public key, None where it is of a kind that this package does not register.
        registered_at: when its key was registered.
        last_activated_at: when it last came online, None before it ever did.
        last_deactivated_at: when it last signed off or was heard of no more, None before it ever did.
        online_until: when it counts as offline unless it is heard of again, None before it ever came online.
    """

    node_id: int
    name: str | None
    state: NodeState
    key: NodeKey | None
    registered_at: datetime
    last_activated_at: datetime | None
    last_deactivated_at: datetime | None
    online_until: datetime | None


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a Flower app.

    Attributes:
        run_id: its id; exceeds 2^53 more often than not.
        status: pending, starting, running or finished.
        sub_status: of a finished run: completed, failed or stopped; otherwise empty.
        details: why it failed, where the SuperLink says so.
    """

    run_id: int
    status: str
    sub_status: str
    details: str

    @property
    def finished(self) -> bool:
        """Whether the run is over, well or badly."""
        return self.status == "finished"

    @property
    def label(self) -> str:
        """The status as Flower's CLI prints it, such as `finished:completed`."""
        return f"{self.status}:{self.sub_status}" if self.sub_status else self.status


@dataclass(frozen=True, kw_only=True)
class LogPiece:
    """A piece of a run's log.

    Attributes:
        text: what was written; pieces cut lines anywhere.
        timestamp: Unix seconds of its last entry; what comes later is asked for by it.
    """

    text: str
    timestamp: float


class ControlClient:
    """One SuperLink's Control API.

    Every operation but `stream_logs` is tried up to three times where the connection fails. That is safe for
    registering too: a key is registered once, however often it is asked for.

    Args:
        endpoint: `host:port` of the Control API.
        ca_certificate: the federation CA's certificate in PEM; nothing else is trusted.
        identity: the client's certificate and key; its role decides what the gateway lets through.
        timeout_s: seconds to wait for a connection, and for each answer.
        sleep: waits so many seconds between attempts.

    Raises:
        InvalidInputError: endpoint, certificate or identity cannot be read.
    """

    def __init__(
        self,
        endpoint: str,
        ca_certificate: str,
        *,
        identity: ClientIdentity | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = Transport(
            endpoint=Endpoint.parse(endpoint),
            context=tls_context(ca_certificate, identity=identity),
            timeout_s=timeout_s,
            sleep=sleep,
        )

    def register_node(self, key: NodeKey, name: str) -> int:
        """Let the node with this key in, and return its id. A key that is registered under this name is adopted.

        Args:
            key: the node's public key.
            name: the node's name, which the SuperLink shows but does not require to be unique.

        Raises:
            KeyRevokedError: the key was unregistered before.
            KeyTakenError: the key is registered under another name.
            SuperLinkError: the SuperLink did not do it.
        """
        try:
            answer = self._call(
                REGISTER_NODE, "RegisterNodeRequest", "RegisterNodeResponse", public_key=key.spki_pem, name=name
            )
        except RefusedError as err:
            if err.code != PUBLIC_KEY_ALREADY_IN_USE:
                raise
            return self._adopt(key, name, err)
        # Flower answers id 0 where its database refused the row for another reason than the key (1.41.0).
        if not answer.node_id:
            self._bad_answer(REGISTER_NODE, "no node id")
        return int(answer.node_id)

    def unregister_node(self, node_id: int) -> bool:
        """Revoke a node for good; its key can never be registered again.

        Returns:
            Whether there was something to revoke: False where no such node is registered.

        Raises:
            SuperLinkError: the SuperLink did not do it.
        """
        try:
            self._call(UNREGISTER_NODE, "UnregisterNodeRequest", "UnregisterNodeResponse", node_id=node_id)
        except RefusedError as err:
            if err.code == NODE_NOT_FOUND:
                return False
            raise
        return True

    def list_nodes(self) -> list[Node]:
        """Every node that was ever registered, the unregistered ones included, in the order of registration.

        Raises:
            SuperLinkError: the SuperLink did not answer.
        """
        answer = self._call(LIST_NODES, "ListNodesRequest", "ListNodesResponse")
        return sorted((self._node(info) for info in answer.nodes_info), key=lambda node: node.registered_at)

    def find_node(self, node_id: int) -> Node | None:
        """The node with this id, None where it is unknown or unregistered.

        Raises:
            SuperLinkError: the SuperLink did not answer.
        """
        for node in self.list_nodes():
            if node.node_id == node_id and node.state is not NodeState.UNREGISTERED:
                return node
        return None

    def list_runs(self, *, limit: int = 20) -> list[Run]:
        """The latest runs, the newest first.

        Args:
            limit: how many at most.

        Raises:
            SuperLinkError: the SuperLink did not answer.
        """
        answer = self._call(LIST_RUNS, "ListRunsRequest", "ListRunsResponse", limit=limit)
        newest_first = sorted(answer.run_dict.values(), key=lambda run: str(run.pending_at), reverse=True)
        return [_run(run) for run in newest_first]

    def find_run(self, run_id: int) -> Run | None:
        """The run with this id, None where the SuperLink knows none.

        Raises:
            SuperLinkError: the SuperLink did not answer.
        """
        try:
            answer = self._call(LIST_RUNS, "ListRunsRequest", "ListRunsResponse", run_id=run_id)
        except RefusedError as err:
            if err.code == RUN_ID_NOT_FOUND:
                return None
            raise
        return _run(answer.run_dict[run_id]) if run_id in answer.run_dict else None

    def stop_run(self, run_id: int) -> bool:
        """Stop a run.

        Returns:
            Whether it was running: False where it is over or unknown.

        Raises:
            SuperLinkError: the SuperLink did not do it.
        """
        try:
            answer = self._call(STOP_RUN, "StopRunRequest", "StopRunResponse", run_id=run_id)
        except RefusedError as err:
            if err.code in (RUN_ID_NOT_FOUND, RUN_ALREADY_FINISHED):
                return False
            raise
        return bool(answer.success)

    def stream_logs(self, run_id: int, *, after: float = 0.0) -> Iterator[LogPiece]:
        """Yield a run's log as it is written; ends with the run.

        Flower ends the stream as soon as it sees that the run is over, which can be before it has read the last lines
        (1.41.0: it reads the log first and the status second). Ask once more after that with the last timestamp.

        Args:
            run_id: the run.
            after: Unix seconds; what was written until then is left out.

        Raises:
            UnreachableError: nothing was written for the client's timeout, or the connection broke off. Go on with
                the last timestamp.
            SuperLinkError: the SuperLink refused.
        """
        request = messages.new("StreamLogsRequest", run_id=run_id, after_timestamp=after)
        for frame in self._transport.stream(STREAM_LOGS, request.SerializeToString()):
            piece = self._parse(STREAM_LOGS, "StreamLogsResponse", frame)
            yield LogPiece(text=str(piece.log_output), timestamp=float(piece.latest_timestamp))

    def _adopt(self, key: NodeKey, name: str, refusal: RefusedError) -> int:
        for node in self.list_nodes():
            if node.key is None or node.key.fingerprint != key.fingerprint:
                continue
            if node.state is NodeState.UNREGISTERED:
                raise _revoked(key, name, node) from refusal
            if node.name not in (None, name):
                raise _taken(key, name, node) from refusal
            return node.node_id
        raise refusal

    def _call(self, path: str, request: str, response: str, /, **fields: Any) -> Any:
        payload = messages.new(request, **fields).SerializeToString()
        return self._parse(path, response, self._transport.post(path, payload))

    def _parse(self, path: str, name: str, payload: bytes) -> Any:
        try:
            return messages.parse(name, payload)
        except DecodeError:
            self._bad_answer(path, f"{len(payload)} bytes that are no {name}")

    def _bad_answer(self, path: str, found: str) -> NoReturn:
        raise BadAnswerError(
            value=f"{self._transport.endpoint} answered {path} with {found}",
            rule="must be an answer of Flower's Control API",
            reason="a node must not be taken for registered when it may not be",
            remedy="Compare the SuperLink's version with flower_version of the central stack, and read its log",
        )

    def _node(self, info: Any) -> Node:
        try:
            return Node(
                node_id=int(info.node_id),
                name=str(info.name) if info.HasField("name") else None,
                state=NodeState(info.status),
                key=parse_spki_pem(bytes(info.public_key)),
                registered_at=datetime.fromisoformat(info.registered_at),
                last_activated_at=_instant(info.last_activated_at),
                last_deactivated_at=_instant(info.last_deactivated_at),
                online_until=datetime.fromtimestamp(info.online_until, UTC) if info.HasField("online_until") else None,
            )
        except ValueError as err:
            self._bad_answer(LIST_NODES, f"a node that cannot be read ({err})")


def parse_node_id(text: str) -> int:
    """A node id from its decimal text.

    Raises:
        ValueError: it is no decimal number between 1 and 2^64 - 1.
    """
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_ID):
        raise ValueError(f"{text!r} is no node id")
    return int(text)


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _run(run: Any) -> Run:
    return Run(
        run_id=int(run.run_id),
        status=str(run.status.status),
        sub_status=str(run.status.sub_status),
        details=str(run.status.details),
    )


def _revoked(key: NodeKey, name: str, node: Node) -> KeyRevokedError:
    return KeyRevokedError(
        value=f"key {key.fingerprint} of node {name!r} was unregistered before, as node {node.node_id}",
        rule="must be a key that the SuperLink has not revoked",
        reason="Flower never lets an unregistered key in again",
        remedy=(
            "Replace the node's VM, or delete its key under /var/lib/flower/ and reboot it, so that it makes another; "
            "then run `pulumi up` in its zone and here"
        ),
    )


def _taken(key: NodeKey, name: str, node: Node) -> KeyTakenError:
    return KeyTakenError(
        value=f"key {key.fingerprint} of node {name!r} is registered as {node.name!r}, node {node.node_id}",
        rule="must be registered under one name only",
        reason="Flower renames no registration, and a key that is unregistered to make way never comes back",
        remedy=f"Set `name` back to {node.name!r}, or give the node a new key and declare that one as `publicKey`",
    )
