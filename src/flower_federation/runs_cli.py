"""Flower's own CLI, for the one thing that only it can do: pack an app and submit it as a run.

It follows no run and believes no exit status: `flwr run` returns 0 for failures as well (flwr 1.41.0), so what counts
is the JSON that it prints.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flower_federation.errors import InputError
from flower_federation.processes import Runner
from flower_federation.runs_errors import SubmitError

CONNECTION: Final = "federation"
MARK: Final = "# Written by the federation command, which removes it again."
SUBMIT_TIMEOUT_S: Final = 60.0

RunConfig = Mapping[str, bool | int | float | str]
App = Path | str
"""The folder of an app, or the name by which the SuperLink fetches it from its hub, `@account/app==1.0.0`."""

_KEY = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
"""Bare keys of TOML, with dots between them where an app groups its settings: what flwr 1.41.0 parses."""


def write_flwr_home(folder: Path, *, endpoint: str, ca_certificate: str) -> None:
    """Make a folder that FLWR_HOME can name: the connection to one SuperLink, readable by its owner only.

    Args:
        folder: made where it is missing; absolute, because Flower takes no relative path of a certificate.
        endpoint: `host:port` of the Control API.
        ca_certificate: the federation CA's certificate in PEM.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate = folder.absolute() / "ca.crt"
    config = (
        f"{MARK}\n[superlink]\ndefault = {json.dumps(CONNECTION)}\n\n"
        f"[superlink.{CONNECTION}]\n"
        f"address = {json.dumps(endpoint)}\n"
        f"root-certificates = {json.dumps(str(certificate))}\n"
    )
    _write_private(certificate, ca_certificate)
    _write_private(folder / "config.toml", config)


def flwr_environment(flwr: Path, home: Path, base: Mapping[str, str]) -> dict[str, str]:
    """The environment for the CLI: FLWR_HOME, its programs on PATH, no telemetry, no look for updates.

    Args:
        flwr: the CLI.
        home: what `write_flwr_home` made.
        base: where everything else is taken from.
    """
    return {
        **base,
        "FLWR_HOME": str(home.absolute()),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "PATH": f"{flwr.absolute().parent}{os.pathsep}{base.get('PATH', os.defpath)}",
    }


def format_run_config(run_config: RunConfig) -> str:
    """Overrides of an app's configuration, as `flwr run --run-config` takes them.

    Raises:
        InputError: a name or a text that its syntax cannot carry.
    """
    return " ".join(f"{_checked_key(key)}={_literal(key, value)}" for key, value in run_config.items())


def check_app(app: App) -> None:
    """See that a folder holds an app.

    Raises:
        InputError: It holds none.
    """
    if isinstance(app, Path) and not (app / "pyproject.toml").is_file():
        raise InputError(
            given=f"app folder {app}",
            rule="must hold a pyproject.toml with a [tool.flwr.app] section",
            reason="that is what Flower takes for an app",
            remedy="Name the folder of an app, such as examples/breast_cancer, or one of a hub, @account/app==1.0.0",
        )


def submit(
    *,
    app: App,
    flwr: Path,
    home: Path,
    run_config: RunConfig,
    environment: Mapping[str, str],
    runner: Runner,
) -> int:
    """Submit an app to the SuperLink of `home`, and return the run's id.

    Args:
        app: folder of the app, or its name at the SuperLink's hub.
        flwr: the CLI.
        home: what `write_flwr_home` made.
        run_config: overrides of the app's configuration.
        environment: the caller's environment.
        runner: starts programs.

    Raises:
        InputError: `run_config` cannot be passed on, or there is no app in the folder `app`.
        SubmitError: the CLI or the SuperLink refused.
    """
    check_app(app)
    argv: list[str | Path] = [flwr, "run", app, CONNECTION, "--format", "json"]
    if run_config:
        argv += ["--run-config", format_run_config(run_config)]
    finished = runner(argv, env=flwr_environment(flwr, home, environment), timeout_s=SUBMIT_TIMEOUT_S)
    run_id = read_run_id(finished.output)
    if run_id is None:
        raise SubmitError(
            given=f"`flwr run {app}` started no run:\n{finished.tail}",
            rule="must be answered with a run id",
            reason="there is nothing to follow otherwise",
            remedy="See that the SuperLink is READY and that the app passes `flwr build`",
        )
    return run_id


def read_run_id(output: str) -> int | None:
    """The run id in what `flwr run --format json` prints, None where it reports a failure or nothing."""
    decoder = json.JSONDecoder()
    for opening in re.finditer(r"\{", output):
        try:
            answer, _ = decoder.raw_decode(output, opening.start())
        except ValueError:
            continue
        run_id = answer.get("run-id") if answer.get("success") is True else None
        if isinstance(run_id, str) and run_id.isascii() and run_id.isdigit():
            return int(run_id)
    return None


def _write_private(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)


def _checked_key(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise InputError(
            given=f"run configuration {key!r}",
            rule="a name is letters, digits, hyphens and underscores, with dots between groups",
            reason="`flwr run --run-config` reads it as a key of TOML",
            remedy="See [tool.flwr.app.config] in the app's pyproject.toml",
        )
    return key


def _literal(key: str, value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if '"' in value or "\\" in value or not value.isprintable():
        raise InputError(
            given=f"run configuration {key}={value!r}",
            rule="must have no quote, no backslash and no control character",
            reason="`flwr run --run-config` cannot carry them",
            remedy=f"Change {key}, or its default in the app's pyproject.toml",
        )
    return f'"{value}"'
