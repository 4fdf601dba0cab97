"""Pulumi resources for OpenNebula: the classes that programs import.

Importing this package loads no OpenNebula client: the plugin behind the classes is `pulumi_opennebula.provider`.
"""

from __future__ import annotations

from pulumi_opennebula.sdk import *  # noqa: F403
