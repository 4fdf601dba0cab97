"""FlowerSuperLink: the federation's server in one zone, as a OneFlow service of one VM.

It makes no certificate and opens no port: FederationPKI and the zone's network do. The server's private key is made in
the VM and stays there, or, where the stack has made it, goes into this VM's own template and nowhere else; OneFlow
documents carry no setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

import pulumi

import pulumi_opennebula as opennebula
from components.contextualization import (
    SuperLinkContext,
    check_endpoint_host,
    encode_certificates,
    encode_private_key,
    fleet_endpoint,
)
from components.live_context import live_context, with_revision
from components.node_names import service_vms_pattern
from components.package_source import PackageSource, disk_images, state_variables
from components.ports import CONTROL_PORT
from components.published_keys import PublishedVm
from components.server_key import REQUEST, REQUEST_VARIABLES, OwnServerKey, published_request, request_variables
from components.service_documents import Role, service_template
from components.sizing import SUPERLINK_MEMORY_FLOOR_MB, check_cpu, check_memory, check_vcpu
from components.versions import check_version

ROLE = Role(name="superlink", min_vms=1, max_vms=1)


@dataclass(frozen=True, kw_only=True)
class GivenServerKey:
    """The server's key and certificate are made elsewhere, and given to the VM."""

    certificate: pulumi.Input[str]
    """PEM, valid for the SuperLink's address and for 127.0.0.1 and localhost."""
    key: pulumi.Input[str]
    """PEM; kept secret whether or not it comes as a secret."""


@dataclass(frozen=True, kw_only=True)
class FlowerSuperLinkArgs:
    """What a SuperLink is made of."""

    provider: opennebula.Provider
    """Connection to the zone that it runs in."""
    zone: str
    federation: str
    flower_version: str
    address: IPv4Address
    """Its address; fixed, because the certificate and every zone's settings name it."""
    network_id: pulumi.Input[int]
    image_id: pulumi.Input[int]
    security_group_ids: Sequence[pulumi.Input[int]] = ()
    """For networks that have not the right groups themselves."""
    ca_certificate: pulumi.Input[str]
    """The federation's CA, PEM."""
    ca_fingerprint: pulumi.Input[str]
    """sha256 of the CA's DER, hex."""
    server: OwnServerKey | GivenServerKey
    """Who makes the server's key."""
    control_ca: pulumi.Input[str]
    """PEM of the CA that issues the Control API's client certificates."""
    admin_networks: Sequence[IPv4Network]
    """From where the Control API may be reached, with such a certificate."""
    endpoint_host: str | None = None
    """Name under which zones reach the SuperLink; None is its address."""
    app_hub: str | None = None
    """URL of the hub that signed apps are fetched from; None is Flower's own."""
    num_clients: int | None = None
    """Nodes that a run waits for, as a default for apps."""
    memory_mb: int = 1024
    cpu: float = 1.0
    """Share of a physical CPU."""
    vcpu: int = 2
    state_image: int | None = None
    """Id of a data block with the label `flower-state` that keeps key and database; None: the image's disk does."""
    packages: PackageSource | None = None
    """Python packages that the VMs install at boot; None: the image's alone."""
    log_level: str = "INFO"
    project_url: str | None = None
    onegate_ca: str | None = None
    """PEM of the CA behind OneGate's TLS; None leaves it to the guest's own CAs."""


class FlowerSuperLink(pulumi.ComponentResource):
    """A SuperLink that is running and has proven that it answers.

    Args:
        name: Name of the component; the zone's name is the usual one.
        args: What it is made of.
        opts: Options of the component. Its resources take their provider from `args`.

    Raises:
        RefusalError: A size, version or context value is not allowed; nothing has been declared then.
    """

    fleet_endpoint: pulumi.Output[str]
    """`host:9092`, for SuperNodes; known when the service is running."""
    control_endpoint: pulumi.Output[str]
    """`host:9093`, for operators; known when the service is running."""
    service_id: pulumi.Output[str]
    """Number of the OneFlow service."""
    address: pulumi.Output[str]
    """The VM's address."""
    service: opennebula.Service
    """For resources that live and die with the SuperLink's database."""
    live: opennebula.ServiceContext
    """The CONTEXT of the VM that runs; for resources that need certificates and networks to be in effect."""

    def __init__(self, name: str, args: FlowerSuperLinkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_version(args.flower_version, where="flowerVersion")
        check_memory(args.memory_mb, floor_mb=SUPERLINK_MEMORY_FLOOR_MB, where="superlink.memoryMb")
        check_cpu(args.cpu, where="superlink.cpu")
        check_vcpu(args.vcpu, where="superlink.vcpu")
        host = check_endpoint_host(args.endpoint_host or str(args.address), where="superlink.host")
        base = _context(args)
        context = with_revision(base)
        super().__init__("flower:index:FlowerSuperLink", name, None, opts)
        # A service that is replaced must have freed the SuperLink's only address before its successor asks for it.
        options = pulumi.ResourceOptions(parent=self, provider=args.provider, delete_before_replace=True)
        object_name = f"flower-superlink-{args.zone}"

        template = opennebula.Template(
            f"{name}-vm",
            name=object_name,
            description=f"SuperLink of the federation {args.federation}",
            cpu=args.cpu,
            vcpu=args.vcpu,
            memory=args.memory_mb,
            context=context,
            disks=[
                opennebula.TemplateDiskArgs(image_id=id_)
                for id_ in disk_images(args.image_id, args.state_image, args.packages)
            ],
            nics=[
                opennebula.TemplateNicArgs(
                    network_id=args.network_id,
                    ip=str(args.address),
                    security_groups=list(args.security_group_ids) or None,
                )
            ],
            permissions="600",
            opts=options,
        )
        document = template.id.apply(
            lambda id_: service_template(
                name=object_name,
                description=f"SuperLink of the federation {args.federation}",
                role=ROLE,
                vm_template_id=int(id_),
            )
        )
        service_document = opennebula.ServiceTemplate(
            f"{name}-service-template", name=object_name, template=document, permissions="600", opts=options
        )
        self.service = opennebula.Service(
            f"{name}-service",
            name=object_name,
            template_id=service_document.id.apply(int),
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=args.provider,
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create="10m", delete="5m"),
            ),
        )
        if isinstance(args.server, OwnServerKey):
            # The template cannot hold the certificate: it is made for a key that a VM made which came of the template.
            certificate = args.server.sign(self._request(name, args, args.server))
            context = with_revision({**base, "FL_SERVER_CERT": certificate.apply(encode_certificates)})
        self.live = live_context(
            f"{name}-live-context",
            service=self.service,
            role=ROLE.name,
            variables=context,
            vms=ROLE.max_vms,
            opts=pulumi.ResourceOptions(parent=self, provider=args.provider),
        )

        self.service_id = self.service.id
        # Whoever uses an endpoint waits for the service, and for it to work with this CONTEXT.
        self.fleet_endpoint = self.live.id.apply(lambda _: fleet_endpoint(host))
        self.control_endpoint = self.live.id.apply(lambda _: f"{host}:{CONTROL_PORT}")
        self.address = self.service.id.apply(lambda _: str(args.address))
        self.register_outputs(
            {
                "fleetEndpoint": self.fleet_endpoint,
                "controlEndpoint": self.control_endpoint,
                "serviceId": self.service_id,
                "address": self.address,
            }
        )

    def _request(self, name: str, args: FlowerSuperLinkArgs, server: OwnServerKey) -> pulumi.Output[str]:
        """The signing request of the VM that runs, for the names and the key that are asked for now."""
        wanted = _asked_for(args, server)
        asked = opennebula.ServiceContext(
            f"{name}-server-request",
            service_id=self.service.id.apply(int),
            role=ROLE.name,
            variables={key: wanted.apply(lambda found, key=key: found[key]) for key in REQUEST_VARIABLES},  # type: ignore[misc]
            acknowledgement=REQUEST,
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=args.provider,
                custom_timeouts=pulumi.CustomTimeouts(create="5m", update="5m"),
            ),
        )
        found = opennebula.get_virtual_machines_output(
            # Its VMs are unknown while the request is about to change, so that a preview does not read an old answer.
            name_regex=pulumi.Output.all(self.service.id, asked.vm_ids).apply(
                lambda known: service_vms_pattern(str(known[0]))
            ),
            sort_on="name",
            opts=pulumi.InvokeOutputOptions(provider=args.provider, depends_on=[self.service, asked]),
        )
        published = found.apply(
            lambda result: [
                PublishedVm(name=vm.name or "", attributes=dict(vm.tags or {})) for vm in result.virtual_machines
            ]
        )
        return pulumi.Output.all(published, wanted).apply(lambda known: published_request(known[0], wanted=known[1]))


def _asked_for(args: FlowerSuperLinkArgs, server: OwnServerKey) -> pulumi.Output[dict[str, str]]:
    return server.identities.apply(
        lambda known: request_variables(known, federation=args.federation, epoch=server.epoch)
    )


def _context(args: FlowerSuperLinkArgs) -> dict[str, pulumi.Input[str]]:
    """The VM's CONTEXT; of all its values a server key alone is a secret, so that previews show the others."""
    plain = SuperLinkContext(
        federation=args.federation,
        zone=args.zone,
        flower_version=args.flower_version,
        log_level=args.log_level,
        project_url=args.project_url,
        admin_networks=args.admin_networks,
        num_clients=args.num_clients,
        app_hub=args.app_hub,
    ).variables()
    onegate = {} if args.onegate_ca is None else {"FL_ONEGATE_CA": encode_certificates(args.onegate_ca)}
    return {
        **plain,
        **onegate,
        **(args.packages.variables() if args.packages is not None else {}),
        **state_variables(args.state_image),
        "FL_CA_CERT": pulumi.Output.from_input(args.ca_certificate).apply(encode_certificates),
        "FL_CA_FINGERPRINT": args.ca_fingerprint,
        "FL_CONTROL_CA": pulumi.Output.from_input(args.control_ca).apply(encode_certificates),
        **_server_variables(args),
    }


def _server_variables(args: FlowerSuperLinkArgs) -> dict[str, pulumi.Input[str]]:
    if isinstance(args.server, OwnServerKey):
        wanted = _asked_for(args, args.server)
        return {key: wanted.apply(lambda found, key=key: found[key]) for key in REQUEST_VARIABLES}  # type: ignore[misc]
    return {
        "FL_SERVER_CERT": pulumi.Output.from_input(args.server.certificate).apply(encode_certificates),
        "FL_SERVER_KEY": pulumi.Output.secret(args.server.key).apply(encode_private_key),
    }
