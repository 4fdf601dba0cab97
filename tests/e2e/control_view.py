"""The SuperLink as its nodes see it: trusted by what its own VM trusts at that moment, also while a CA is exchanged."""

from __future__ import annotations

from collections.abc import Callable

from pulumi_flower.control import ControlClient
from tests.e2e.zone_view import ZoneView
from tests.e2e_support import Project
from tests.patience import AT_ONCE_S


def client_of_the_moment(project: Project) -> Callable[[], ControlClient]:
    """Makes clients that trust what the SuperLink's own VM trusts at that moment, as its nodes do."""
    certificate = project.control_certificate()
    view = ZoneView(project.zones["madrid"])
    (guest,) = (view.guest(vm_id) for vm_id in view.vms())
    ca = guest / "etc/flower/certs/ca.crt"
    return lambda: ControlClient(
        certificate.endpoint, ca.read_text(), identity=certificate.identity, timeout_s=AT_ONCE_S
    )
