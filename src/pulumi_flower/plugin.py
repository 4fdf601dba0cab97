"""The process `pulumi-resource-flower`: serves the provider to the engine that started it.

It adds one thing to the SDK's own server: errors that this package raises on purpose reach the user as their message
alone, while anything else keeps its stack trace.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2_grpc

from pulumi_flower.errors import CallerError, FlowerError
from pulumi_flower.provider import FlowerProvider
from pulumi_flower.version import VERSION

_MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024


class FlowerServicer(ProviderServicer):
    """The SDK's servicer, with errors fit for people."""

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's names
        return await _with_plain_errors(super().Check, request, context)

    async def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _with_plain_errors(super().Configure, request, context)

    async def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _with_plain_errors(super().Create, request, context)

    async def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _with_plain_errors(super().Read, request, context)

    async def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _with_plain_errors(super().Update, request, context)

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await _with_plain_errors(super().Delete, request, context)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until the engine ends this process.

    Args:
        argv: the engine's address, and logging options that are ignored; the command line if left out.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="pulumi-resource-flower",
        description="Pulumi provider for the SuperNodes of a Flower SuperLink. The Pulumi engine starts it.",
    )
    parser.add_argument("engine", help="address of the Pulumi engine")
    known, _ = parser.parse_known_args(arguments)
    try:
        asyncio.run(_serve(arguments, known.engine))
    except KeyboardInterrupt:
        return


async def _serve(arguments: list[str], engine_address: str) -> None:
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        ]
    )
    servicer = FlowerServicer(arguments, VERSION, FlowerProvider(), engine_address=engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # The engine reads the port from the first line of standard output.
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


async def _with_plain_errors(
    method: Callable[[Any, Any], Awaitable[Any]], request: Any, context: grpc.aio.ServicerContext[Any, Any]
) -> Any:
    try:
        return await method(request, context)
    except Exception as err:
        # The SDK (3.272.0) wraps what a provider raises into an Exception with a stack trace in its text.
        cause = err.__context__
        if not isinstance(cause, FlowerError):
            raise
        code = grpc.StatusCode.INVALID_ARGUMENT if isinstance(cause, CallerError) else grpc.StatusCode.UNAVAILABLE
        await context.abort(code, str(cause))


if __name__ == "__main__":
    main()
