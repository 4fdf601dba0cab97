"""What the demo needs where its VMs are containers with the real image's root file system (`--driver nspawn`).

The committed stacks say 127.x.y.z, which no machine with a network of its own can have. So this demo works in a folder
beside the clone's state, `.federation-nspawn`, with stack files of its own: the same, but with addresses in 10.x.y.z,
gateways, and the QCOW2 as image. Engine, zones and commands run in the containers' network namespace; the host's own
network is not touched, and a process demo of the same clone is not in the way.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final, TextIO

import yaml

from flower_federation.caches import digest, point
from flower_federation.console import Console
from flower_federation.environment import Layout
from flower_federation.errors import MachineError
from flower_federation.imaging import recipe as recipes
from flower_federation.imaging.building import STEPS as IMAGE_STEPS
from flower_federation.imaging.cached import cached_image
from flower_federation.imaging.tools import install_command, missing_packages
from flower_federation.processes import Runner, require
from flower_federation.setup import machine_packages, project_folder, this_machine
from flower_federation.stacks import PROJECT, STACKS_FOLDER
from flower_federation.zones import EmbeddedZone
from zonebox.drivers.nspawn_network import NETNS
from zonebox.drivers.nspawn_relay import enter

FOLDER: Final = ".federation-nspawn"
VARIANT: Final = "sklearn"
"""The example app needs scikit-learn."""
IMAGE: Final = Path(".federation") / "images" / "flower-appliance.qcow2"
_LINKS: Final = (".venv", ".flower-env", "components", "examples", "infra", "src")
_ADDRESSES: Final = ("cidr", "first")
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Containers:
    """A clone's demo on containers."""

    clone: Path

    @property
    def project(self) -> Path:
        """The folder that stands for the clone."""
        return self.clone / FOLDER

    @property
    def switch(self) -> str:
        """Network namespace of the demo; each clone has its own."""
        return f"flower-{digest([str(self.clone)])[:10]}"

    def options(self, zone: EmbeddedZone) -> tuple[str, ...]:
        """Further options of `zonebox up` for one of its zones."""
        # Every zone's OneGate has an address of its own on the shared switch.
        onegate = f"169.254.16.{zone.address.packed[1]}"
        return ("--driver", "nspawn", "--switch", self.switch, "--onegate-host", onegate)

    def shell(self) -> str:
        """A command line that opens a shell in which `federation` and `pulumi` work on this demo."""
        return (
            f"nsenter --net={NETNS / self.switch} env FEDERATION_ROOT={self.project} "
            f"bash -c 'source {self.clone}/.venv/bin/activate; cd {self.project}; exec bash'"
        )


def check_machine(which: Any = shutil.which, *, user_id: int | None = None) -> None:
    """Refuse before anything is made.

    Args:
        which: Finds a program, for tests.
        user_id: Of this process, for tests.

    Raises:
        MachineError: Not root, or programs are missing.
    """
    user = os.geteuid() if user_id is None else user_id
    if user != 0:
        raise MachineError(
            given=f"user id {user}",
            rule="--driver nspawn runs as root",
            reason="containers, their networks and mounts are made",
            remedy="run it with sudo, or without --driver: VMs are processes then, which needs no privilege",
        )
    if missing := missing_packages(which):
        raise MachineError(
            given=f"not installed: {', '.join(missing)}",
            rule="--driver nspawn needs them",
            reason="the image is built here first, and its containers are started with them",
            remedy=f"scripts/image tools --install, or: {' '.join(install_command(missing))}",
        )


def container_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """A stack file for containers: addresses in 10.x.y.z instead of 127.x.y.z, a gateway, and the QCOW2.

    Endpoints stay: the zones' own servers are on loopback addresses still, those of the demo's namespace.

    Args:
        document: The committed file.
    """
    config = {key: value for key, value in document["config"].items() if not key.startswith("encryptionsalt")}

    def at(key: str) -> str:
        return f"{PROJECT}:{key}"

    network = {key: _moved(value) if key in _ADDRESSES else value for key, value in config[at("network")].items()}
    gateway = str(next(IPv4Network(network["cidr"]).hosts()))
    config[at("network")] = {**network, "gateway": gateway}
    config[at("image")] = {"path": str(IMAGE)}
    if at("superlink") in config:
        config[at("superlink")] = {
            key: _moved(value) if key == "address" else value for key, value in config[at("superlink")].items()
        }
    if at("adminNetworks") in config:
        # Commands dial from the demo's namespace, which has the gateway's address in each network.
        config[at("adminNetworks")] = [f"{gateway}/32"]
    if at("zones") in config:
        config[at("zones")] = [
            {**zone, "networks": [_moved(each) for each in zone.get("networks", [])]} for zone in config[at("zones")]
        ]
    return {"config": config}


def _moved(address: str) -> str:
    return f"10.{address.removeprefix('127.')}" if address.startswith("127.") else address


def make_project(containers: Containers) -> None:
    """Make the folder, or bring its stack files up to date with the clone's."""
    clone, project = containers.clone, containers.project
    (project / STACKS_FOLDER).mkdir(parents=True, exist_ok=True)
    for name in _LINKS:
        point(project / name, clone / name)
    shutil.copyfile(clone / "Pulumi.yaml", project / "Pulumi.yaml")
    for stack in sorted((clone / STACKS_FOLDER).glob("Pulumi.*.yaml")):
        text = yaml.safe_dump(container_document(yaml.safe_load(stack.read_text(encoding="utf-8"))), sort_keys=False)
        head = f"# Made from stacks/{stack.name} by scripts/demo --driver nspawn; change that file, not this one.\n"
        (project / STACKS_FOLDER / stack.name).write_text(head + text, encoding="utf-8")


def make_network(containers: Containers, *, run: Runner, env: Mapping[str, str]) -> None:
    """Make the demo's network namespace where it is missing, and move this thread and what it starts into it.

    Raises:
        ToolError: The kernel refuses.
    """
    if not (NETNS / containers.switch).exists():
        _ip(("netns", "add", containers.switch), run=run, env=env)
    _ip(("-n", containers.switch, "link", "set", "lo", "up"), run=run, env=env)
    enter(NETNS / containers.switch)


def remove_network(containers: Containers, *, run: Runner, env: Mapping[str, str]) -> None:
    """End what is left in namespaces of the demo's guests, and remove them and the demo's own.

    Raises:
        ToolError: The kernel refuses.
    """
    for namespace in sorted(NETNS.glob(f"{containers.switch}*"), reverse=True):
        _ip(("netns", "delete", namespace.name), run=run, env=env)


def write_image(containers: Containers, *, environ: Mapping[str, str]) -> str:
    """Build the image, or take it from the user's cache, and put it where the stack files say; its path.

    Raises:
        FederationError: A build failed.
    """
    # The image is made of the code that runs, whatever folder the demo works in.
    layout = Layout(project=project_folder())
    console = Console(stream=_Indented(sys.stderr), clock=time.monotonic, total=IMAGE_STEPS)
    image = cached_image(
        recipes.load(),
        VARIANT,
        project=layout.project,
        uv=machine_packages(layout, this_machine(), say=console.line).uv(),
        environ=environ,
        console=console,
    )
    link = containers.project / IMAGE
    link.parent.mkdir(parents=True, exist_ok=True)
    point(link, image)
    return f"{image} ({image.stat().st_size / 1e6:.0f} MB)"


def _ip(words: tuple[str, ...], *, run: Runner, env: Mapping[str, str]) -> None:
    require(
        run(("ip", *words), env=env, timeout_s=_TIMEOUT_S),
        what=f"ip {' '.join(words)}",
        reason="the demo's containers are on a network of their own",
        remedy="see whether this machine lets root make network namespaces",
    )


class _Indented(io.StringIO):
    """A stream whose lines stand below the step that prints them."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(f"      {text}")

    def flush(self) -> None:
        self._stream.flush()
