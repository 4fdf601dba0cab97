"""The process `pulumi-resource-opennebula`: serves the provider to the engine that started it.

It adds to the SDK's own server what that cannot do (pulumi 3.272): errors without a stack trace where this package
raised them on purpose, objects that were made before something failed, and lines of progress in the engine's log.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from pulumi_opennebula.errors import MistakeError, OpenNebulaError
from pulumi_opennebula.provider.engine import OpenNebulaProvider, PartialError
from pulumi_opennebula.version import VERSION

MESSAGE_BYTES: Final = 400 * 1024 * 1024
"""Pulumi's own limit for messages between engine and plugins."""


CALLS_AT_ONCE: Final = 7
"""Threads for calls. Each keeps a connection for reads and opens one for a change, and oned serves 15 at a time (its
MAX_CONN). Python's own number of threads goes by the processors of the machine, which say nothing about the zone."""
ENGINE_LOOK_S: Final = 1.0
"""Pause between two looks whether the engine is still there, in seconds."""


class Servicer(ProviderServicer):
    """The SDK's servicer, with errors fit for people and for the engine's state."""

    async def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's names
        return await _clean(super().GetSchema, request, context)

    async def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _clean(super().CheckConfig, request, context)

    async def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _clean(super().Configure, request, context)

    async def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _clean(super().Invoke, request, context)

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _clean(super().Check, request, context)

    async def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _clean(super().Diff, request, context)

    async def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _clean(super().Create, request, context)

    async def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _clean(super().Read, request, context)

    async def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _clean(super().Update, request, context)

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        # What only the provider uses (timeouts, how to shut down) is in the inputs of an object that was imported and
        # never changed, and not in its outputs; the SDK passes on the outputs only.
        for name in request.old_inputs.fields:
            if name not in request.properties.fields:
                request.properties.fields[name].CopyFrom(request.old_inputs.fields[name])
        return await _clean(super().Delete, request, context)


class EngineLog:
    """Lines in the engine's log, beside the resource they are about. Losing one is no error."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stub: Any = None
        self._sending: set[asyncio.Task[None]] = set()

    def show(self, urn: str, line: str) -> None:
        """Show a line until the next one of the same resource."""
        if not self._address:
            return
        task = asyncio.get_running_loop().create_task(self._send(urn, line))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, urn: str, line: str) -> None:
        if self._stub is None:
            self._stub = engine_pb2_grpc.EngineStub(grpc.aio.insecure_channel(self._address))
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, urn=urn, ephemeral=True)
        try:
            await self._stub.Log(request)
        except grpc.RpcError:
            return


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until the engine ends this process.

    Args:
        argv: The engine's address, and logging options that are ignored; the command line if left out.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="pulumi-resource-opennebula",
        description="Pulumi provider for OpenNebula. The Pulumi engine starts it; there is nothing to run by hand.",
    )
    parser.add_argument("engine", nargs="?", default="", help="address of the Pulumi engine")
    known, _ = parser.parse_known_args(arguments)
    try:
        asyncio.run(_serve(arguments, known.engine))
    except KeyboardInterrupt:
        return


async def _serve(arguments: list[str], engine_address: str) -> None:
    # Before the engine knows that there is a plugin: later it may be gone already.
    engine = os.getppid()
    threads = ThreadPoolExecutor(max_workers=CALLS_AT_ONCE, thread_name_prefix="call")
    asyncio.get_running_loop().set_default_executor(threads)
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.max_send_message_length", MESSAGE_BYTES)]
    )
    log = EngineLog(engine_address)
    provider = OpenNebulaProvider(environment=dict(os.environ), progress=log.show)
    servicer = Servicer(arguments, VERSION, provider, engine_address=engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # The engine reads the port from the first line of standard output.
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    ended = asyncio.create_task(server.wait_for_termination())
    alone = asyncio.create_task(_orphaned(engine))
    await asyncio.wait({ended, alone}, return_when=asyncio.FIRST_COMPLETED)
    if alone.done():
        await provider.cancel()
        await server.stop(grace=None)


async def _orphaned(engine: int) -> None:
    """Come back when the engine is no more. It ends its plugins itself, but not where it is killed (`kill -9`, OOM)."""
    while os.getppid() == engine:  # noqa: ASYNC110 - nothing tells a process that its parent ended but a look
        await asyncio.sleep(ENGINE_LOOK_S)


async def _clean(method: Callable[[Any, Any], Awaitable[Any]], request: Any, context: Any) -> Any:
    try:
        return await method(request, context)
    except Exception as err:
        # The SDK wraps what a provider raises into an Exception with a stack trace in its text.
        cause = err if isinstance(err, OpenNebulaError) else err.__context__
        if isinstance(cause, PartialError):
            await context.abort_with_status(partial_status(cause))
        if isinstance(cause, OpenNebulaError):
            code = grpc.StatusCode.INVALID_ARGUMENT if isinstance(cause, MistakeError) else grpc.StatusCode.UNAVAILABLE
            await context.abort(code, str(cause))
        raise


def partial_status(err: PartialError) -> grpc.Status:
    """The status that makes the engine keep an object in its state, marked as not initialised."""
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(err))
    status.details.add().Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=err.id,
            properties=PropertyValue.marshal_map(err.properties),
            inputs=PropertyValue.marshal_map(err.inputs),
            reasons=[str(err)],
        )
    )
    found = _Status()
    found.code = grpc.StatusCode.UNKNOWN
    found.details = str(err)
    found.trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    return found


class _Status(grpc.Status):  # type: ignore[misc] # grpc ships no types
    """grpc's status, which is an interface only."""

    code: Any
    details: str
    trailing_metadata: Any


if __name__ == "__main__":
    main()
