"""`python -m pulumi_resource_tls ENGINE_ADDRESS`: serves the plugin until the engine ends it."""

from __future__ import annotations

import sys

from pulumi.provider.experimental.server import main as serve

from pulumi_resource_tls.provider import VERSION, TlsProvider
from pulumi_resource_tls.sources import system_sources


def main() -> None:
    """Start the gRPC server on a free loopback port and print that port, as the engine expects."""
    serve(sys.argv[1:], VERSION, TlsProvider(system_sources()))


if __name__ == "__main__":
    main()
