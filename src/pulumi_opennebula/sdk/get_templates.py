"""get_templates: vM templates that match every criterion given. None matching is an empty list.

Made by `python -m pulumi_opennebula.generate` from `pulumi_opennebula.definitions`; edit those instead.
"""

from __future__ import annotations

from typing import Any

import pulumi

from pulumi_opennebula.sdk.base import call, call_output, outputs

__all__ = [
    "GetTemplatesResult",
    "GetTemplatesTemplate",
    "GetTemplatesTemplateDisk",
    "GetTemplatesTemplateNic",
    "GetTemplatesTemplateNicAlias",
    "GetTemplatesTemplateVmgroup",
    "get_templates",
    "get_templates_output",
]


@outputs
class GetTemplatesTemplateNic(dict[str, Any]):
    """A network card. Cards keep the order given."""

    network_id: int | None = pulumi.property("networkId", default=None)
    """Id of the virtual network."""
    network: str | None = pulumi.property("network", default=None)
    """Name of the virtual network; excludes `networkId`."""
    security_groups: list[int] | None = pulumi.property("securityGroups", default=None)
    """Ids of security groups, in addition to the network's."""
    ip: str | None = pulumi.property("ip", default=None)
    """IPv4 address to ask for."""
    ip6: str | None = pulumi.property("ip6", default=None)
    """IPv6 address to ask for."""
    ip6_global: str | None = pulumi.property("ip6Global", default=None)
    """IPv6 global address to ask for."""
    ip6_link: str | None = pulumi.property("ip6Link", default=None)
    """IPv6 link-local address to ask for."""
    ip6_ula: str | None = pulumi.property("ip6Ula", default=None)
    """IPv6 unique local address to ask for."""
    mac: str | None = pulumi.property("mac", default=None)
    """MAC address to ask for."""
    dns: str | None = pulumi.property("dns", default=None)
    """Name servers that the guest is told, instead of the network's."""
    gateway: str | None = pulumi.property("gateway", default=None)
    """Gateway that the guest is told, instead of the network's."""
    name: str | None = pulumi.property("name", default=None)
    """Name of the card, for aliases to refer to."""
    model: str | None = pulumi.property("model", default=None)
    """Hardware that the guest sees: `virtio`, `e1000`, ..."""
    virtio_queues: str | None = pulumi.property("virtioQueues", default=None)
    """Number of virtio queues."""
    physical_device: str | None = pulumi.property("physicalDevice", default=None)
    """Host device, instead of the network's."""
    method: str | None = pulumi.property("method", default=None)
    """How the guest configures IPv4: `static`, `dhcp`, `skip`."""
    network_mode_auto: bool | None = pulumi.property("networkModeAuto", default=None)
    """Let the scheduler choose the network."""
    sched_requirements: str | None = pulumi.property("schedRequirements", default=None)
    """Which networks the scheduler may choose."""
    sched_rank: str | None = pulumi.property("schedRank", default=None)
    """Which network the scheduler prefers."""


@outputs
class GetTemplatesTemplateNicAlias(dict[str, Any]):
    """A further address on a network card."""

    parent: str | None = pulumi.property("parent", default=None)
    """Name of the NIC that carries the alias."""
    network_id: int | None = pulumi.property("networkId", default=None)
    """Id of the virtual network."""
    network: str | None = pulumi.property("network", default=None)
    """Name of the virtual network; excludes `networkId`."""
    security_groups: list[int] | None = pulumi.property("securityGroups", default=None)
    """Ids of security groups, in addition to the network's."""
    ip: str | None = pulumi.property("ip", default=None)
    """IPv4 address to ask for."""
    ip6: str | None = pulumi.property("ip6", default=None)
    """IPv6 address to ask for."""
    ip6_global: str | None = pulumi.property("ip6Global", default=None)
    """IPv6 global address to ask for."""
    ip6_link: str | None = pulumi.property("ip6Link", default=None)
    """IPv6 link-local address to ask for."""
    ip6_ula: str | None = pulumi.property("ip6Ula", default=None)
    """IPv6 unique local address to ask for."""
    mac: str | None = pulumi.property("mac", default=None)
    """MAC address to ask for."""
    dns: str | None = pulumi.property("dns", default=None)
    """Name servers that the guest is told, instead of the network's."""
    gateway: str | None = pulumi.property("gateway", default=None)
    """Gateway that the guest is told, instead of the network's."""
    name: str | None = pulumi.property("name", default=None)
    """Name of the alias."""


@outputs
class GetTemplatesTemplateDisk(dict[str, Any]):
    """A disk: of an image, or volatile. Disks keep the order given."""

    image_id: int | None = pulumi.property("imageId", default=None)
    """Id of the image; absent for a volatile disk."""
    size: int | None = pulumi.property("size", default=None)
    """Size in MB; of an image: grow it to this."""
    target: str | None = pulumi.property("target", default=None)
    """Device that the disk appears as, such as `vda`."""
    driver: str | None = pulumi.property("driver", default=None)
    """Image mapping driver, such as `qcow2`."""
    dev_prefix: str | None = pulumi.property("devPrefix", default=None)
    """Device prefix: `hd`, `sd`, `vd`, ..."""
    cache: str | None = pulumi.property("cache", default=None)
    """Cache mode of the hypervisor."""
    discard: str | None = pulumi.property("discard", default=None)
    """Discard mode of the hypervisor."""
    io: str | None = pulumi.property("io", default=None)
    """IO policy of the hypervisor."""
    volatile_type: str | None = pulumi.property("volatileType", default=None)
    """Type of a volatile disk: `fs` or `swap`."""
    volatile_format: str | None = pulumi.property("volatileFormat", default=None)
    """Format of a volatile disk: `raw` or `qcow2`."""


@outputs
class GetTemplatesTemplateVmgroup(dict[str, Any]):
    """Role of a VM group, for affinity."""

    vmgroup_id: int | None = pulumi.property("vmgroupId", default=None)
    """Id of the VM group."""
    role: str | None = pulumi.property("role", default=None)
    """Name of the role."""


@outputs
class GetTemplatesTemplate(dict[str, Any]):
    """A VM template."""

    id: int | None = pulumi.property("id", default=None)
    """Number of the template."""
    name: str | None = pulumi.property("name", default=None)
    """Name of the template."""
    cpu: float | None = pulumi.property("cpu", default=None)
    """Share of a physical CPU."""
    vcpu: int | None = pulumi.property("vcpu", default=None)
    """CPUs that the guest sees."""
    memory: int | None = pulumi.property("memory", default=None)
    """Memory in MB."""
    register_date: int | None = pulumi.property("registerDate", default=None)
    """When it was registered, in Unix seconds."""
    tags: dict[str, str] | None = pulumi.property("tags", default=None)
    """Attributes that no other property covers."""
    nics: list[GetTemplatesTemplateNic] | None = pulumi.property("nics", default=None)
    """Network cards, in order."""
    nic_aliases: list[GetTemplatesTemplateNicAlias] | None = pulumi.property("nicAliases", default=None)
    """Further addresses on network cards."""
    disks: list[GetTemplatesTemplateDisk] | None = pulumi.property("disks", default=None)
    """Disks, in order."""
    vmgroups: list[GetTemplatesTemplateVmgroup] | None = pulumi.property("vmgroups", default=None)
    """Role of a VM group."""


@outputs
class GetTemplatesResult(dict[str, Any]):
    """What `get_templates` finds."""

    id: str = pulumi.property("id")
    """Identifies this look-up."""
    templates: list[GetTemplatesTemplate] = pulumi.property("templates")
    """The templates that match, sorted."""
    name_regex: str | None = pulumi.property("nameRegex", default=None)
    """Regular expression that the name must contain a match of."""
    tags: dict[str, str] | None = pulumi.property("tags", default=None)
    """Attributes that the template must have."""
    cpu: float | None = pulumi.property("cpu", default=None)
    """Share of a physical CPU, that the template must have."""
    vcpu: int | None = pulumi.property("vcpu", default=None)
    """CPUs that the guest sees, that the template must have."""
    memory: int | None = pulumi.property("memory", default=None)
    """Memory in MB, that the template must have."""
    has_cpu: bool | None = pulumi.property("hasCpu", default=None)
    """Whether the template must set `cpu` (true) or must not (false)."""
    has_vcpu: bool | None = pulumi.property("hasVcpu", default=None)
    """Whether the template must set `vcpu` (true) or must not (false)."""
    has_memory: bool | None = pulumi.property("hasMemory", default=None)
    """Whether the template must set `memory` (true) or must not (false)."""
    sort_on: str | None = pulumi.property("sortOn", default=None)
    """`id` (where absent), `name`, `cpu`, `vcpu`, `memory` or `register_date`."""
    order: str | None = pulumi.property("order", default=None)
    """`ASC` or `DESC`; `ASC` where absent."""


def get_templates(
    *,
    name_regex: str | None = None,
    tags: dict[str, str] | None = None,
    cpu: float | None = None,
    vcpu: int | None = None,
    memory: int | None = None,
    has_cpu: bool | None = None,
    has_vcpu: bool | None = None,
    has_memory: bool | None = None,
    sort_on: str | None = None,
    order: str | None = None,
    opts: pulumi.InvokeOptions | None = None,
) -> GetTemplatesResult:
    """VM templates that match every criterion given. None matching is an empty list.

    Args:
        name_regex: Regular expression that the name must contain a match of.
        tags: Attributes that the template must have.
        cpu: Share of a physical CPU, that the template must have.
        vcpu: CPUs that the guest sees, that the template must have.
        memory: Memory in MB, that the template must have.
        has_cpu: Whether the template must set `cpu` (true) or must not (false).
        has_vcpu: Whether the template must set `vcpu` (true) or must not (false).
        has_memory: Whether the template must set `memory` (true) or must not (false).
        sort_on: `id` (where absent), `name`, `cpu`, `vcpu`, `memory` or `register_date`.
        order: `ASC` or `DESC`; `ASC` where absent.
        opts: Options, such as the provider to ask.
    """
    values = {
        "nameRegex": name_regex,
        "tags": tags,
        "cpu": cpu,
        "vcpu": vcpu,
        "memory": memory,
        "hasCpu": has_cpu,
        "hasVcpu": has_vcpu,
        "hasMemory": has_memory,
        "sortOn": sort_on,
        "order": order,
    }
    return call("opennebula:index/getTemplates:getTemplates", values, opts, GetTemplatesResult)


def get_templates_output(
    *,
    name_regex: pulumi.Input[str] | None = None,
    tags: pulumi.Input[dict[str, pulumi.Input[str]]] | None = None,
    cpu: pulumi.Input[float] | None = None,
    vcpu: pulumi.Input[int] | None = None,
    memory: pulumi.Input[int] | None = None,
    has_cpu: pulumi.Input[bool] | None = None,
    has_vcpu: pulumi.Input[bool] | None = None,
    has_memory: pulumi.Input[bool] | None = None,
    sort_on: pulumi.Input[str] | None = None,
    order: pulumi.Input[str] | None = None,
    opts: pulumi.InvokeOptions | pulumi.InvokeOutputOptions | None = None,
) -> pulumi.Output[GetTemplatesResult]:
    """As `get_templates`, for arguments that are outputs of other resources."""
    values = {
        "nameRegex": name_regex,
        "tags": tags,
        "cpu": cpu,
        "vcpu": vcpu,
        "memory": memory,
        "hasCpu": has_cpu,
        "hasVcpu": has_vcpu,
        "hasMemory": has_memory,
        "sortOn": sort_on,
        "order": order,
    }
    return call_output("opennebula:index/getTemplates:getTemplates", values, opts, GetTemplatesResult)
