"""Pulumi resources for a Flower SuperLink: which SuperNodes it lets in; and a client of its Control API.

It registers, lists and unregisters nodes. It starts no SuperLink, makes no key, and knows no cloud.
"""

from pulumi_flower.control import ControlClient, LogPiece, Node, NodeState, Run
from pulumi_flower.errors import CallerError, FlowerError, SuperLinkError
from pulumi_flower.keys import NodeKey, parse_openssh
from pulumi_flower.resources import Provider, SuperNodeRegistration

__all__ = [
    "CallerError",
    "ControlClient",
    "FlowerError",
    "LogPiece",
    "Node",
    "NodeKey",
    "NodeState",
    "Provider",
    "Run",
    "SuperLinkError",
    "SuperNodeRegistration",
    "parse_openssh",
]
