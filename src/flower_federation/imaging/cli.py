"""`federation image`: build, verify, and what a machine needs for it. Options and output only; no stage of a build.

What touches a zone (publish, list, prune) comes from publish_cli.py, the marketplace's folder from oneapps_cli.py.

Also runs as `python -m flower_federation.imaging.cli`, for development.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flower_federation.console import Console
from flower_federation.errors import FederationError, MachineError
from flower_federation.imaging import oneapps_cli, publish_cli
from flower_federation.imaging import recipe as recipes
from flower_federation.imaging.building import STEPS, Built, build_image
from flower_federation.imaging.checksums import sign, signing_key, verify
from flower_federation.imaging.figures import PAGE, measure, write
from flower_federation.imaging.tools import install_command, missing_packages
from flower_federation.imaging.wheelhouse import LABEL, build_wheelhouse
from flower_federation.imaging.wheelhouse import STEPS as WHEELHOUSE_STEPS
from flower_federation.processes import require, run_process

DESCRIPTION = """Build the appliance's bootable disk image (QCOW2; BIOS and UEFI), its bill of materials and checksums.

  scripts/image tools --install                  once: the Debian packages that a build and the drivers need
  scripts/image build                            the cpu variant, into dist/
  scripts/image build --variant sklearn          with scikit-learn, which the example app needs
  scripts/image build --variant gpu --hook FILE  with a kernel for GPUs, and what FILE installs
  scripts/image build --sign-key key.pem         also sign SHA256SUMS
  scripts/image figures                          measure sizes, builds and boots for docs/reference/image.md
  scripts/image verify dist --key public.pem     check signature and checksums
  scripts/image wheelhouse LOCK                  a disk with wheels, for a stack's packages.volume
  scripts/image publish FILE --stack NAME        bring an image into a zone (publish --help)
  scripts/image one-apps --output DIR            the appliance for the community marketplace (one-apps --help)
"""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a command runs."""

    project: Path
    """The clone."""
    uv: Callable[[], Path]
    """Finds the pinned uv, installing it where it is not there yet."""
    environ: Mapping[str, str]


def add_actions(kinds: argparse._SubParsersAction[argparse.ArgumentParser], setting: Setting) -> None:
    """Add the subcommands of `image`; each sets `handler`."""
    build = kinds.add_parser(
        "build", help="a bootable QCOW2", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(build)
    build.set_defaults(handler=lambda arguments: _build(arguments, setting))
    check = kinds.add_parser("verify", help="check images against SHA256SUMS and its signature")
    check.add_argument("folder", type=Path, nargs="?", default=Path("dist"), help="folder with images (default: dist/)")
    check.add_argument("--key", type=Path, metavar="FILE", help="Ed25519 public key, PEM; without it only checksums")
    check.set_defaults(handler=_verify)
    wheels = kinds.add_parser("wheelhouse", help="a disk with the wheels of a locked list, for packages.volume")
    wheels.add_argument("lock", type=Path, metavar="LOCK", help="pip requirements file, with versions and hashes")
    wheels.add_argument("--output", type=Path, default=Path("dist") / "wheels.img", metavar="FILE", help="the disk")
    wheels.add_argument("--label", default=LABEL, help="of its file system (default: %(default)s)")
    wheels.add_argument("--index-url", metavar="URL", help="where wheels come from; pip's own index by default")
    wheels.add_argument("--find-links", metavar="FOLDER", help="take wheels from this folder and ask no index")
    wheels.add_argument("--json", action="store_true", help="print the result as JSON")
    wheels.set_defaults(handler=lambda arguments: _wheelhouse(arguments, setting))
    measured = kinds.add_parser("figures", help="measure sizes, builds and boots, and write docs/reference/image.md")
    measured.add_argument("--variant", action="append", help="only this variant; repeatable (default: all)")
    measured.set_defaults(handler=lambda arguments: _figures(arguments, setting))
    tools = kinds.add_parser("tools", help="which Debian packages this machine lacks for building and booting images")
    tools.add_argument("--install", action="store_true", help="install them with apt-get (as root)")
    tools.set_defaults(handler=lambda arguments: _tools(arguments, setting))
    publish_cli.add_actions(kinds, project=setting.project, environ=setting.environ)
    oneapps_cli.add_actions(kinds, project=setting.project)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `image build`."""
    parser.add_argument("--variant", default="cpu", help="a variant of the recipe (default: cpu)")
    parser.add_argument("--output", type=Path, default=Path("dist"), help="folder for the image (default: dist/)")
    parser.add_argument("--keep-root", type=Path, metavar="FOLDER", help="also leave the root file system here")
    parser.add_argument("--hook", type=Path, metavar="PROGRAM", help="run with the root's folder: NVIDIA's driver")
    parser.add_argument("--sign-key", type=Path, metavar="FILE", help="sign SHA256SUMS with this Ed25519 key (PEM)")
    parser.add_argument("--json", action="store_true", help="print a JSON summary on standard output")


def build(arguments: argparse.Namespace, setting: Setting) -> Built:
    """Build as the options say.

    Raises:
        FederationError: A tool is missing or failed, or an option is wrong.
    """
    if arguments.sign_key is not None:
        # Before minutes are spent on an image that nobody could vouch for.
        signing_key(arguments.sign_key)
    stream = sys.stderr if arguments.json else sys.stdout
    built = build_image(
        recipes.load(),
        arguments.variant,
        output=arguments.output,
        project=setting.project,
        uv=setting.uv(),
        environ=setting.environ,
        console=Console(stream=stream, clock=time.monotonic, total=STEPS),
        keep_root=arguments.keep_root,
        hook=arguments.hook,
    )
    if arguments.sign_key is not None:
        sign(arguments.output, arguments.sign_key)
    return built


def _build(arguments: argparse.Namespace, setting: Setting) -> int:
    built = build(arguments, setting)
    print(json.dumps(built.summary) if arguments.json else built.path)
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    sums = verify(arguments.folder, arguments.key)
    for name in sums:
        print(f"{name}: OK")
    if arguments.key is None:
        print("checksums only: without --key, whoever changed an image could have changed SHA256SUMS, too")
    return 0


def _wheelhouse(arguments: argparse.Namespace, setting: Setting) -> int:
    index = [] if arguments.index_url is None else ["--index-url", arguments.index_url]
    folder = [] if arguments.find_links is None else ["--no-index", "--find-links", arguments.find_links]
    stream = sys.stderr if arguments.json else sys.stdout
    made = build_wheelhouse(
        arguments.lock,
        arguments.output,
        label=arguments.label,
        python=setting.project / ".flower-env" / "bin" / "python",
        python_version=recipes.load().base.python,
        sources=folder or index,
        run=run_process,
        env=setting.environ,
        console=Console(stream=stream, clock=time.monotonic, total=WHEELHOUSE_STEPS),
    )
    print(json.dumps(made, indent=2) if arguments.json else f"{made['image']} with {len(made['wheels'])} wheels")
    return 0


def _figures(arguments: argparse.Namespace, setting: Setting) -> int:
    recipe = recipes.load()
    variants = arguments.variant or sorted(recipe.variants)
    figures = measure(
        recipe, variants, project=setting.project, uv=setting.uv(), environ=setting.environ, run=run_process,
        stream=sys.stderr,
    )  # fmt: skip
    write(figures, setting.project)
    print(setting.project / PAGE)
    return 0


def _tools(arguments: argparse.Namespace, setting: Setting) -> int:
    missing = missing_packages()
    if not missing:
        print("nothing is missing")
        return 0
    command = install_command(missing)
    if not arguments.install:
        print(f"missing: {', '.join(missing)}\n{' '.join(command)}")
        return 1
    if os.geteuid() != 0:
        raise MachineError(
            given=f"user id {os.geteuid()}",
            rule="scripts/image tools --install runs as root",
            reason="it installs Debian packages",
            remedy=f"run it with sudo, or run: {' '.join(command)}",
        )
    for argv in (("apt-get", "update", "--quiet"), command):
        require(
            run_process(argv, env={**setting.environ, "DEBIAN_FRONTEND": "noninteractive"}, timeout_s=1200),
            what=f"{' '.join(argv[:2])}, which installs what images need,",
            reason="without these packages no image can be built or booted",
            remedy="see its message; the machine's package sources must answer",
        )
    print(f"installed: {', '.join(missing)}")
    return 0


def main() -> int:
    """`python -m flower_federation.imaging.cli`, for development."""
    project = Path(__file__).resolve().parents[3]
    setting = Setting(project=project, uv=lambda: Path(_find_uv(project)), environ=os.environ)
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_actions(parser.add_subparsers(required=True, metavar="ACTION"), setting)
    arguments = parser.parse_args()
    try:
        return int(arguments.handler(arguments))
    except FederationError as error:
        print(f"image: {error}", file=sys.stderr)
        return error.exit_code


def _find_uv(project: Path) -> str:
    """uv of the Flower environment, or of PATH."""
    own = project / ".flower-env" / "bin" / "uv"
    return str(own) if own.exists() else "uv"


if __name__ == "__main__":
    sys.exit(main())
