"""All methods of the zone in one table."""

from __future__ import annotations

from zonebox.rpc import accounts, machines, resources
from zonebox.rpc.registry import Registry


def build() -> Registry:
    """A fresh table with every method."""
    registry = Registry()
    accounts.add(registry)
    resources.add(registry)
    machines.add(registry)
    return registry
