"""The connection to a stack's zone, as a provider. There is one, explicit, a stack; nothing uses a default provider."""

from __future__ import annotations

import pulumi_opennebula as opennebula
from infra.cloud_settings import CloudSettings


def zone_provider(zone: str, cloud: CloudSettings) -> opennebula.Provider:
    """The provider for all of a stack's OpenNebula resources.

    Args:
        zone: The zone's name, for the resource's.
        cloud: Where it is and how to log in; the password becomes a secret.
    """
    return opennebula.Provider(
        zone,
        endpoint=cloud.endpoint,
        flow_endpoint=cloud.flow_endpoint,
        username=cloud.credentials.username,
        password=cloud.credentials.password,
        credentials_from=cloud.credentials.source,
        ca_file=None if cloud.ca_file is None else str(cloud.ca_file),
    )
