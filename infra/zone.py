"""A stack of kind `zone`: the link to its centre, network, and a pool of SuperNodes. It knows no other zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pulumi

from components.bundle_facts import BundleFacts
from components.egress import supernode_rules
from components.pki_rules import expiry_warning
from components.stack_facts import qualified, read_outputs
from components.supernode_pool import FlowerSupernodePool, FlowerSupernodePoolArgs
from components.zone_link import FactsSource, StackFacts, ZoneLink, ZoneLinkArgs
from infra.cloud import zone_provider
from infra.network import appliance_image, zone_network
from infra.zone_settings import ZoneSettings


def declare(settings: ZoneSettings, *, now: datetime) -> dict[str, pulumi.Input[Any]]:
    """Declare the stack.

    Args:
        settings: What it is made from.
        now: The current instant, aware; a CA that nears its end is told.

    Returns:
        Its outputs.

    Raises:
        ComponentError: There is no centre, its facts contradict each other or the settings, or a setting is refused.
    """
    common = settings.common
    source = _source(settings, now)
    link = ZoneLink(
        common.federation,
        ZoneLinkArgs(
            source=source,
            federation=common.federation,
            flower_version=common.flower_version,
            ca_fingerprint=settings.central.ca_fingerprint,
        ),
    )
    warning = expiry_warning(link.ca_certificate, what=f"CA certificate of the federation {common.federation}", now=now)
    if warning is not None:
        pulumi.log.warn(warning)
    provider = zone_provider(common.zone, settings.cloud)
    rules = supernode_rules(
        link.superlink_fleet_endpoint.rpartition(":")[0],
        services=settings.egress.services,
        hosts=settings.egress.hosts,
    )
    network = zone_network(common, settings.site.network, rules, provider=provider)
    pool = FlowerSupernodePool(
        common.zone,
        FlowerSupernodePoolArgs(
            provider=provider,
            zone=common.zone,
            federation=common.federation,
            flower_version=common.flower_version,
            supernodes=settings.supernodes,
            addresses=settings.site.network.addresses,
            network_id=network.network_id,
            security_group_ids=network.card_security_groups,
            image_id=appliance_image(common, settings.site.image, provider=provider),
            superlink_fleet_endpoint=link.superlink_fleet_endpoint,
            ca_certificate=link.ca_certificate,
            ca_fingerprint=link.ca_fingerprint,
            partition_base=settings.partition_base,
            num_partitions=settings.partitions,
            data=settings.data,
            rekeyed=settings.rekeyed,
            trusted=settings.trusted,
            memory_mb=settings.supernode.memory_mb,
            cpu=settings.supernode.cpu,
            vcpu=settings.supernode.vcpu,
            gpu=settings.supernode.gpu,
            packages=settings.site.packages,
            state_image=settings.site.state_image,
            log_level=common.log_level,
            project_url=common.project_url,
            onegate_ca=settings.cloud.onegate_ca,
        ),
    )
    return {
        "zone": common.zone,
        "nodes": pool.nodes,
        "pool_size": pool.pool_size,
        "service_id": pool.service_id,
        "federation": common.federation,
        "flower_version": common.flower_version,
        "ca_fingerprint": link.ca_fingerprint,
        **({"join_bundle": source.load().digest} if isinstance(source, BundleFacts) else {}),
    }


def _source(settings: ZoneSettings, now: datetime) -> FactsSource:
    central, common = settings.central, settings.common
    if central.bundle is None:
        return StackFacts(stack=central.stack or "")
    # What this stack said of itself last time: a zone that has joined needs no new invitation to scale its pool.
    before = read_outputs(qualified(common.stack, project=pulumi.get_project())) or {}
    return BundleFacts(
        path=central.bundle,
        zone=common.zone,
        ca_fingerprint=central.ca_fingerprint,
        now=now,
        joined_with=before.get("join_bundle"),
        tell=pulumi.log.info,
    )
