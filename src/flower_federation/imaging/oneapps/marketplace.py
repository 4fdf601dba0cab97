"""The documents of a community marketplace: image, VM template of SuperNodes, service template. It writes no file.

What a VM of either role is given, and what a pool of SuperNodes asks for, is what `image publish` brings into a zone.
A SuperLink has no form: a key in it would become an attribute of the VM, which OneGate shows to the VMs of its service.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flower_appliance.machine import CONTROL_PORT, FLEET_PORT
from flower_appliance.version import FLOWER_VERSION
from flower_federation.imaging import catalog
from flower_federation.imaging.catalog import Release
from flower_federation.imaging.oneapps.settings import Settings
from flower_federation.imaging.oneapps.variables import FIXED, Question

Document = dict[str, Any]
Facts = Mapping[str, str | int]
IMAGE, MACHINE, POOL = "Flower", "Flower SuperNode", "Flower SuperNodes"
"""Names of the three appliances in a marketplace."""
_NETWORK_NOTE = (
    f"A SuperLink takes TLS connections on {FLEET_PORT} (SuperNodes) and, from the networks that it is told, on"
    f" {CONTROL_PORT} (operators). A SuperNode takes none."
)


def image(settings: Settings, facts: Facts) -> Document:
    """The image with the VM template that serves both roles, as far as they have anything in common."""
    text = (
        f"[Flower](https://flower.ai) {FLOWER_VERSION} on Ubuntu {settings.release}: one image for a SuperLink or a"
        " SuperNode, as `FL_ROLE` of the CONTEXT says. TLS and node authentication cannot be turned off, and nothing"
        f" is downloaded at boot.\n\n{_NETWORK_NOTE}\n\nThe VM template has no role: give one in CONTEXT, or import"
        f" *{MACHINE}* or *{POOL}*, which ask for what a SuperNode needs."
    )
    return {
        **_head(settings, facts, name=IMAGE, text=text, short="Federated learning with Flower: SuperLink or SuperNode"),
        "opennebula_template": _template(settings, {}),
        "images": [
            {
                "name": f"{settings.name}-{settings.version}",
                "url": facts["URL"],
                "type": "OS",
                "dev_prefix": "vd",
                "driver": "qcow2",
                "size": facts["SIZE"],
                "checksum": {"md5": facts["MD5"], "sha256": facts["SHA256"]},
            }
        ],
    }


def machine(settings: Settings, facts: Facts, questions: tuple[Question, ...]) -> Document:
    """The VM template of one SuperNode, with a form."""
    text = f"One SuperNode on the image *{IMAGE}*. {_NETWORK_NOTE}\n\nEverything that is asked for is public."
    asked = {question.name.lower(): f"${question.name}" for question in questions}
    template = _template(settings, {**{name.lower(): value for name, value in FIXED.items()}, **asked})
    return {
        **_head(settings, facts, name=MACHINE, text=text, short="A SuperNode of a Flower federation"),
        "type": "VMTEMPLATE",
        "disks": [IMAGE],
        "opennebula_template": {
            **template,
            "inputs_order": ",".join(question.name for question in questions),
            "user_inputs": {question.name.lower(): question.user_input for question in questions},
        },
        "images": [],
    }


def pool(settings: Settings, facts: Facts) -> Document:
    """The OneFlow service: as many SuperNodes as are wanted."""
    text = (
        f"SuperNodes of one zone as a OneFlow service, on the image *{IMAGE}*: the role's cardinality is the number of"
        f" nodes, and each says READY when it is proven. {_NETWORK_NOTE}\n\nNeeds OneFlow and OneGate."
    )
    inputs = catalog.service_inputs(_release(settings), 0)
    body = json.loads(inputs["template"])
    (role,) = body["roles"]
    del role["template_id"]  # the import fills it in, from `roles`
    body.update(name=POOL, description=f"SuperNodes with Flower {FLOWER_VERSION}")
    return {
        **_head(settings, facts, name=POOL, text=text, short="A pool of SuperNodes, orchestrated by OneFlow"),
        "type": "SERVICE_TEMPLATE",
        "roles": {role["name"]: IMAGE},
        "opennebula_template": json.dumps(body, indent=2),
        "images": [],
    }


def _head(settings: Settings, facts: Facts, *, name: str, text: str, short: str) -> Document:
    return {
        "name": name,
        "version": settings.version,
        "one-apps_version": facts["ONE_APPS_VERSION"],
        "publisher": facts["PUBLISHER"],
        "publisher_email": facts["PUBLISHER_EMAIL"],
        "description": text,
        "short_description": short,
        "tags": ["flower", "federated-learning", "machine-learning", "ubuntu", "service"],
        "format": "qcow2",
        "creation_time": facts["CREATION_TIME"],
        "os-id": "Ubuntu",
        "os-release": f"{settings.release} LTS",
        "os-arch": "x86_64",
        "hypervisor": "KVM",
        "opennebula_version": ", ".join(settings.opennebula),
    }


def _template(settings: Settings, context: Mapping[str, str]) -> Document:
    """What `image publish` puts into a VM template, in the marketplace's spelling."""
    inputs = catalog.template_inputs(_release(settings), 0)
    given = {name.lower(): str(value) for name, value in inputs["context"].items()}
    return {
        "context": {**given, **context},
        "cpu": str(inputs["cpu"]),
        "vcpu": str(inputs["vcpu"]),
        "memory": str(settings.memory_mib),
        "graphics": {"listen": inputs["graphics"]["listen"], "type": "vnc"},
        "os": {"arch": inputs["os"]["arch"]},
    }


def _release(settings: Settings) -> Release:
    return Release(name=settings.name, version=FLOWER_VERSION, variant=settings.variant, sha256="")
