"""A stack of kind `central`: CA, network, SuperLink, and the enrolment of the nodes that trusted zones bring.

Nodes are read before anything is declared. A trusted zone that has no stack yet brings none, and is named in the log;
one node too many, or one key, name or partition twice, and the whole stack is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pulumi

import pulumi_flower
from components import zone_answer
from components.centre_certificates import RENEW_CA, centre_certificates, is_moving, judge
from components.egress import superlink_rules
from components.errors import RefusalError
from components.federation_pki import FederationPKI, FederationPKIArgs
from components.own_ca import OwnCertificates
from components.ports import Rule
from components.revocation import keys_of, without_revoked
from components.roster import Node, ZoneRoll, check_renamed, enrol, read_roll
from components.server_key import OwnServerKey
from components.stack_facts import qualified, read_outputs
from components.superlink import FlowerSuperLink, FlowerSuperLinkArgs, GivenServerKey
from infra.central_settings import CentralSettings, SuperLinkSettings, TrustedZone
from infra.cloud import zone_provider
from infra.network import appliance_image, zone_network


def declare(settings: CentralSettings, *, now: datetime) -> dict[str, pulumi.Input[Any]]:
    """Declare the stack.

    Args:
        settings: What it is made from.
        now: The current instant, aware; certificates that near their end are told.

    Returns:
        Its outputs.

    Raises:
        ComponentError: A certificate has ended, or a zone's nodes or a setting are refused; nothing has been declared
            then.
    """
    before = read_outputs(qualified(settings.common.stack, project=pulumi.get_project())) or {}
    _tell_ends(settings, now, before)
    nodes = enrol([_let_in(zone, settings) for zone in settings.zones])
    check_renamed(nodes, before.get("registered_nodes") or ())
    _tell_gone(settings.zones, nodes, before)
    common, superlink_settings = settings.common, settings.superlink
    host = superlink_settings.host
    provider = zone_provider(common.zone, settings.cloud)
    pki = FederationPKI(
        common.federation,
        FederationPKIArgs(
            federation=common.federation,
            server_names=[*([] if host is None else [host]), *superlink_settings.names],
            server_addresses=[str(superlink_settings.address)],
            ca_validity=settings.certificates.ca_validity,
            leaf_validity=settings.certificates.server_validity,
            early_renewal=settings.certificates.renew_before,
            ca=settings.ca,
            own=_own_certificates(settings, now),
            people=settings.control.people,
            client_validity=settings.control.validity,
            server_key=superlink_settings.server_key,
        ),
    )
    network = zone_network(common, settings.site.network, _rules(settings), provider=provider)
    superlink = FlowerSuperLink(
        common.zone,
        FlowerSuperLinkArgs(
            provider=provider,
            zone=common.zone,
            federation=common.federation,
            flower_version=common.flower_version,
            address=superlink_settings.address,
            endpoint_host=host,
            network_id=network.network_id,
            security_group_ids=network.card_security_groups,
            image_id=appliance_image(common, settings.site.image, provider=provider),
            ca_certificate=pki.ca_certificate,
            ca_fingerprint=pki.ca_fingerprint,
            server=_server(pki, superlink_settings),
            control_ca=pki.control_ca_certificate,
            admin_networks=settings.admin_networks,
            num_clients=settings.num_clients,
            app_hub=superlink_settings.app_hub,
            memory_mb=superlink_settings.memory_mb,
            cpu=superlink_settings.cpu,
            vcpu=superlink_settings.vcpu,
            packages=settings.site.packages,
            state_image=settings.site.state_image,
            log_level=common.log_level,
            project_url=common.project_url,
            onegate_ca=settings.cloud.onegate_ca,
        ),
    )
    return {
        "superlink_fleet_endpoint": superlink.fleet_endpoint,
        "superlink_control_endpoint": superlink.control_endpoint,
        "ca_certificate": pki.ca_certificate,
        "ca_fingerprint": pki.ca_fingerprint,
        "server_certificate": _made(pki),
        **_bundle_signer(pki),
        "flower_version": common.flower_version,
        "federation": common.federation,
        "zone": common.zone,
        "service_id": superlink.service_id,
        "registered_nodes": _register(nodes, superlink=superlink, pki=pki),
        "operator_certificate": pki.stack_operator.output(),
        "control_certificates": pulumi.Output.secret(
            {name: certificate.output() for name, certificate in pki.people.items()}
        ),
    }


def _made(pki: FederationPKI) -> pulumi.Output[str]:
    if pki.server_certificate is None:
        raise RefusalError(
            value="server certificate of the SuperLink: nobody has made one",
            rule="FederationPKI makes it, or signs the request of the SuperLink's VM (FederationPKI.sign_server)",
            reason="nodes verify it before they send anything",
            remedy="pass the FlowerSuperLink a GivenServerKey, or an OwnServerKey with sign=pki.sign_server",
        )
    return pki.server_certificate


def _rules(settings: CentralSettings) -> tuple[Rule, ...]:
    unknown = [zone.name for zone in settings.zones if not zone.networks]
    if unknown:
        pulumi.log.info(
            f"port 9092 is open to every address: {', '.join(unknown)} without `networks` under zones in the stack file"
        )
    return superlink_rules(
        zone_networks=settings.fleet_networks,
        admin_networks=settings.admin_networks,
        services=settings.egress.services,
        hosts=settings.egress.hosts,
    )


def _tell_gone(zones: Sequence[TrustedZone], nodes: Sequence[Node], before: Mapping[str, Any]) -> None:
    """Warn of trusted zones that bring nobody any more: their nodes' keys are about to be unregistered for good."""
    had = [str(entry.get("name")) for entry in before.get("registered_nodes") or ()]
    for zone in zones:
        gone = [name for name in had if name.startswith(f"{zone.name}/") and name not in zone.revoked]
        if gone and not any(node.name.startswith(f"{zone.name}/") for node in nodes):
            pulumi.log.warn(
                f"{zone.name} brings no nodes any more: this update unregisters {', '.join(gone)} for good, and each "
                "needs a new key to come back. If that is not meant, see that the zone's entry under zones in the "
                "stack file names its stack or answer, and that the stack is up"
            )


def _tell_ends(settings: CentralSettings, now: datetime, before: Mapping[str, Any]) -> None:
    """Warn of certificates that this stack has and that near their end; an own CA's are checked by FederationPKI."""
    certificates = settings.certificates
    if certificates.own is not None:
        return
    has = centre_certificates(
        before,
        federation=settings.common.federation,
        server_early=certificates.renew_before,
        ca_early=certificates.server_validity,
    )
    for warning in judge(has, now=now, renews=certificates.renews):
        pulumi.log.warn(warning)
    if is_moving(before):
        pulumi.log.warn(
            "the CA of your own goes, and this stack's takes over at once: nodes lose the centre until their zone has "
            f"run pulumi up, too, with the new fingerprint; {RENEW_CA} does so for the zones of this backend"
        )


def _server(pki: FederationPKI, settings: SuperLinkSettings) -> OwnServerKey | GivenServerKey:
    if pki.server_certificate is not None and pki.server_key is not None:
        return GivenServerKey(certificate=pki.server_certificate, key=pki.server_key)
    return OwnServerKey(identities=pki.server_identities, epoch=settings.server_key_epoch, sign=pki.sign_server)


def _own_certificates(settings: CentralSettings, now: datetime) -> OwnCertificates | None:
    own = settings.certificates.own
    return None if own is None else OwnCertificates(**vars(own), checked_at=now)


def _bundle_signer(pki: FederationPKI) -> dict[str, pulumi.Input[Any]]:
    """What `federation invite` signs with; the key is a secret output, which no other stack gets to see."""
    if pki.bundle_certificate is None or pki.bundle_key is None:
        return {}
    return {"bundle_certificate": pki.bundle_certificate, "bundle_signing_key": pki.bundle_key}


def _let_in(zone: TrustedZone, settings: CentralSettings) -> ZoneRoll:
    brought = _roll(zone, settings)
    # A key stays out whichever zone brings it: whoever has a stolen one may be anybody.
    let_in = without_revoked(
        brought, (*zone.revoked, *keys_of(entry for each in settings.zones for entry in each.revoked))
    )
    for node in brought.nodes:
        if node not in let_in.nodes:
            pulumi.log.info(f"{node.name}: revoked in the centre's file, key {node.fingerprint}")
    return let_in


def _roll(zone: TrustedZone, settings: CentralSettings) -> ZoneRoll:
    if zone.stack is None:
        return _answered_roll(zone, settings)
    outputs = read_outputs(zone.stack)
    if outputs is None:
        pulumi.log.info(
            f"{zone.name}: stack {zone.stack} does not exist yet, so it brings no nodes; run up here again after it"
        )
    elif not outputs:
        pulumi.log.info(f"{zone.name}: stack {zone.stack} has no outputs and brings no nodes")
    return read_roll(zone=zone.name, stack=zone.stack, max_nodes=zone.max_nodes, outputs=outputs)


def _answered_roll(zone: TrustedZone, settings: CentralSettings) -> ZoneRoll:
    if zone.answer is None:
        pulumi.log.info(f"{zone.name}: has not answered yet, so it brings no nodes (federation accept)")
        return ZoneRoll(zone=zone.name, max_nodes=zone.max_nodes, nodes=())
    what = f"answer {zone.answer.name}"
    return zone_answer.judge(
        zone_answer.read(_text_of_answer(zone.answer, what), what=what),
        zone=zone.name,
        federation=settings.common.federation,
        flower_version=settings.common.flower_version,
        max_nodes=zone.max_nodes,
        ca_fingerprint=None,
        what=what,
    )


def _text_of_answer(file: Path, what: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusalError(
            value=f"{what}: {file} ({type(error).__name__})",
            rule="an answer is a file with UTF-8 text that can be read",
            reason="without it every key of the zone would be revoked",
            remedy="let federation accept write it again, or correct answer under zones in the stack file",
        ) from error


def _register(
    nodes: tuple[Node, ...], *, superlink: FlowerSuperLink, pki: FederationPKI
) -> list[dict[str, pulumi.Input[Any]]]:
    """One registration a node, named as the node. They live in the SuperLink's database, so they go with its VM."""
    provider = pulumi_flower.Provider(
        "superlink",
        endpoint=superlink.control_endpoint,
        ca_certificate=pki.ca_certificate,
        client_certificate=pki.stack_operator.certificate,
        client_key=pki.stack_operator.key,
        opts=pulumi.ResourceOptions(depends_on=[superlink.service]),
    )
    registered: list[dict[str, pulumi.Input[Any]]] = []
    for node in nodes:
        registration = pulumi_flower.SuperNodeRegistration(
            node.name,
            name=node.name,
            public_key=node.public_key,
            opts=pulumi.ResourceOptions(
                provider=provider,
                depends_on=[superlink.service],
                deleted_with=superlink.service,
                replace_with=[superlink.service],
            ),
        )
        registered.append(
            {
                "name": node.name,
                "node_id": registration.node_id,
                "fingerprint": registration.fingerprint,
                "partition_id": node.partition_id,
            }
        )
    return registered
