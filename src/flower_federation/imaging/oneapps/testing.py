"""Documents for the marketplace's own tests, which run on an OpenNebula front-end: metadata, context, tests.

`:name` is a Ruby symbol there, as their loader expects it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flower_appliance.version import FLOWER_VERSION
from flower_federation.imaging.oneapps.settings import Settings

INCOMPLETE = {
    # Enough to be recognised, too little to start: the tests want to see it refused before they complete it.
    "FL_ROLE": "superlink",
    "FL_FLOWER_VERSION": FLOWER_VERSION,
    "FL_TLS_ENABLED": "YES",
    "FL_NODE_AUTH_ENABLED": "YES",
    "FL_FEDERATION": "certification",
    "FL_ZONE": "frontend",
    "TOKEN": "YES",
}
Document = dict[str, Any]


def metadata(settings: Settings) -> Document:
    """What the tests start, and with which CONTEXT."""
    return {
        ":app": {
            ":name": settings.name,
            ":type": "service",
            ":os": {":type": "linux", ":base": settings.base},
            ":hypervisor": "KVM",
            ":context": {":prefixed": False, ":params": {f":{name}": value for name, value in INCOMPLETE.items()}},
        },
        ":one": {
            ":template": {
                "NAME": "base",
                "TEMPLATE": {
                    "ARCH": "x86_64",
                    "CONTEXT": {"NETWORK": "YES", "SSH_PUBLIC_KEY": "$USER[SSH_PUBLIC_KEY]"},
                    "CPU": "1",
                    "MEMORY": str(settings.memory_mib),
                    "GRAPHICS": {"LISTEN": "127.0.0.1", "TYPE": "vnc"},
                    "NIC": {"NETWORK": "service"},
                    "NIC_DEFAULT": {"MODEL": "virtio"},
                },
            },
            ":datastore_name": "default",
            ":timeout": "90",
        },
        ":infra": {":disk_format": "qcow2", ":apps_path": "/var/tmp"},  # noqa: S108 - the front-end's, by convention
    }


def context(settings: Settings) -> Document:
    """Which of the marketplace's tests of contextualisation the image takes part in."""
    return {
        ":tests": {
            settings.name: {
                ":image_name": f"{settings.name}.qcow2",
                ":type": "linux",
                ":microenvs": ["context-kvm"],
                ":slow": True,
                ":enable_netcfg_common": True,
                ":enable_netcfg_ip_methods": True,
            }
        }
    }


def tests(folder: Path) -> list[str]:
    """The files with tests, in the order in which they run."""
    return sorted(path.name for path in folder.glob("*.rb"))
