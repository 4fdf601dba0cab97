"""FlowerSupernodePool: the SuperNodes of one zone, as a OneFlow service whose size is one number.

It makes no key: each VM makes its own and publishes the public half through OneGate, where this component reads it.
It enrols nobody: the centre does, if it trusts the zone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

import pulumi_opennebula as opennebula
from components.contextualization import SuperNodeContext, encode_certificates
from components.data_source import DataSource
from components.gpu import TemplateSection
from components.live_context import live_context, with_revision
from components.node_names import check_partition_base, check_zone_name, service_vms_pattern
from components.package_source import PackageSource, disk_images, state_variables
from components.published_keys import PublishedVm, read_nodes
from components.roster import Node
from components.service_documents import Role, scaled, service_template
from components.sizing import (
    SUPERNODE_MEMORY_FLOOR_MB,
    AddressPlan,
    check_cpu,
    check_memory,
    check_pool_size,
    check_vcpu,
)
from components.trusted_entities import TrustedEntity
from components.versions import check_version

ROLE_NAME = "supernode"


@dataclass(frozen=True, kw_only=True)
class FlowerSupernodePoolArgs:
    """What a pool is made of."""

    provider: opennebula.Provider
    """Connection to the zone that it runs in."""
    zone: str
    federation: str
    flower_version: str
    supernodes: int
    """How many VMs; changing it scales the running service in place."""
    addresses: AddressPlan
    """The range that the VMs take their addresses from; its size is the pool's ceiling."""
    network_id: pulumi.Input[int]
    image_id: pulumi.Input[int]
    security_group_ids: Sequence[pulumi.Input[int]] = ()
    """For networks that have not the right groups themselves."""
    superlink_fleet_endpoint: str
    """`host:9092`."""
    ca_certificate: pulumi.Input[str]
    """The federation's CA, PEM."""
    ca_fingerprint: pulumi.Input[str]
    """sha256 of the CA's DER, hex."""
    partition_base: int
    """Partition of VM 0; 0 or a multiple of 1000, different in each zone."""
    num_partitions: int
    """Into how many shards the zone's data divides; constant while the pool scales."""
    data: DataSource
    """How the zone's data gets into the guests."""
    rekeyed: Mapping[str, int] = field(default_factory=dict)
    """How often each node was told to make a new key, by the end of its name (`supernode-1`); none: never."""
    trusted: tuple[TrustedEntity, ...] | None = None
    """Whose signature an app needs to run on the zone's data; None: every app runs that the centre sends."""
    memory_mb: int = 1024
    cpu: float = 1.0
    """Share of a physical CPU."""
    vcpu: int = 2
    gpu: tuple[TemplateSection, ...] = ()
    """From `components.gpu.passthrough`."""
    state_image: int | None = None
    """Id of a data block with the label `flower-state` that keeps key and database; None: the image's disk does."""
    packages: PackageSource | None = None
    """Python packages that the VMs install at boot; None: the image's alone."""
    log_level: str = "INFO"
    project_url: str | None = None
    onegate_ca: str | None = None
    """PEM of the CA behind OneGate's TLS; None leaves it to the guest's own CAs."""


class FlowerSupernodePool(pulumi.ComponentResource):
    """SuperNodes that are running, have proven their data and the SuperLink's certificate, and wait to be let in.

    Args:
        name: Name of the component; the zone's name is the usual one.
        args: What it is made of.
        opts: Options of the component. Its resources take their provider from `args`.

    Raises:
        RefusalError: A size, version or context value is not allowed; nothing has been declared then.
    """

    nodes: pulumi.Output[list[dict[str, Any]]]
    """Of each node `name`, `public_key`, `fingerprint` and `partition_id`, sorted by partition."""
    service_id: pulumi.Output[str]
    """Number of the OneFlow service."""
    pool_size: pulumi.Output[int]
    """How many SuperNodes the pool was scaled to."""

    def __init__(self, name: str, args: FlowerSupernodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_zone_name(args.zone, where="zone")
        check_version(args.flower_version, where="flowerVersion")
        check_pool_size(args.supernodes, args.addresses)
        check_partition_base(args.partition_base, where="partitionBase")
        check_memory(args.memory_mb, floor_mb=SUPERNODE_MEMORY_FLOOR_MB, where="supernode.memoryMb")
        check_cpu(args.cpu, where="supernode.cpu")
        check_vcpu(args.vcpu, where="supernode.vcpu")
        context = with_revision(_context(args))
        role = Role(name=ROLE_NAME, max_vms=args.addresses.size)
        super().__init__("flower:index:FlowerSupernodePool", name, None, opts)
        options = pulumi.ResourceOptions(parent=self, provider=args.provider, delete_before_replace=True)
        object_name = f"flower-supernodes-{args.zone}"

        template = opennebula.Template(
            f"{name}-vm",
            name=object_name,
            description=f"SuperNodes of {args.zone} in the federation {args.federation}",
            cpu=args.cpu,
            vcpu=args.vcpu,
            memory=args.memory_mb,
            context=context,
            disks=_disks(args),
            nics=[
                opennebula.TemplateNicArgs(
                    network_id=args.network_id, security_groups=list(args.security_group_ids) or None
                )
            ],
            template_sections=[
                opennebula.TemplateTemplateSectionArgs(name=section.name, elements=dict(section.elements))
                for section in args.gpu
            ]
            or None,
            permissions="600",
            opts=options,
        )
        document = template.id.apply(
            lambda id_: service_template(
                name=object_name,
                description=f"SuperNodes of {args.zone} in the federation {args.federation}",
                role=role,
                vm_template_id=int(id_),
            )
        )
        service_document = opennebula.ServiceTemplate(
            f"{name}-service-template", name=object_name, template=document, permissions="600", opts=options
        )
        service = opennebula.Service(
            f"{name}-service",
            name=object_name,
            template_id=service_document.id.apply(int),
            extra_template=scaled(role, cardinality=args.supernodes),
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=args.provider,
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create="10m", update="10m", delete="5m"),
            ),
        )

        live = live_context(
            f"{name}-live-context",
            service=service,
            role=ROLE_NAME,
            variables=context,
            vms=args.supernodes,
            opts=pulumi.ResourceOptions(parent=self, provider=args.provider),
        )

        self.service_id = service.id
        self.pool_size = pulumi.Output.from_input(args.supernodes)
        self.nodes = _published(args, service, live).apply(lambda nodes: [node.exported() for node in nodes])
        self.register_outputs({"nodes": self.nodes, "serviceId": self.service_id, "poolSize": self.pool_size})


def _context(args: FlowerSupernodePoolArgs) -> dict[str, pulumi.Input[str]]:
    """The CONTEXT of every VM of the pool: public facts only."""
    plain = SuperNodeContext(
        federation=args.federation,
        zone=args.zone,
        flower_version=args.flower_version,
        log_level=args.log_level,
        project_url=args.project_url,
        superlink_address=args.superlink_fleet_endpoint,
        partition_base=args.partition_base,
        num_partitions=args.num_partitions,
        data=args.data,
        rekeyed=args.rekeyed,
        trusted=args.trusted,
    ).variables()
    authorities = {"FL_ONEGATE_CA": args.onegate_ca, "FL_DATA_CA": args.data.ca_certificate}
    # A signed URL opens the data to whoever has it.
    secret = {name: pulumi.Output.secret(plain[name]) for name in ("FL_DATA_URL",) if name in plain}
    return {
        **plain,
        **secret,
        **(args.packages.variables() if args.packages is not None else {}),
        **state_variables(args.state_image),
        **({"FL_GPU": "YES"} if args.gpu else {}),
        **{name: encode_certificates(pem) for name, pem in authorities.items() if pem is not None},
        "FL_CA_CERT": pulumi.Output.from_input(args.ca_certificate).apply(encode_certificates),
        "FL_CA_FINGERPRINT": args.ca_fingerprint,
    }


def _disks(args: FlowerSupernodePoolArgs) -> list[opennebula.TemplateDiskArgs | Mapping[str, Any]]:
    """The appliance, and the volumes with wheels and with the data where there are any."""
    images = disk_images(args.image_id, args.state_image, args.packages)
    if args.data.volume_image is not None:
        images.append(args.data.volume_image)
    return [opennebula.TemplateDiskArgs(image_id=id_) for id_ in images]


def _published(
    args: FlowerSupernodePoolArgs, service: opennebula.Service, live: opennebula.ServiceContext
) -> pulumi.Output[tuple[Node, ...]]:
    """The keys that the service's VMs have published, read when it runs at its new size with its new CONTEXT."""
    found = opennebula.get_virtual_machines_output(
        name_regex=service.id.apply(service_vms_pattern),
        sort_on="name",
        opts=pulumi.InvokeOutputOptions(provider=args.provider, depends_on=[service, live]),
    )
    return found.apply(
        lambda result: read_nodes(
            [PublishedVm(name=vm.name or "", attributes=dict(vm.tags or {})) for vm in result.virtual_machines],
            zone=args.zone,
            partition_base=args.partition_base,
            report=pulumi.log.warn,
        )
    )
