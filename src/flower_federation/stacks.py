"""The project's stacks through Pulumi's Automation API: up, destroy, outputs. It decides no order; operations do.

Everything runs in the project's folder with the environment of an activated clone. `pulumi` writes the salt of its
passphrase into the stack file whenever it runs; where the file had none before, it is taken out again, so that a demo
leaves the working tree as it was. The engine makes a new salt when it next needs one (engine 3.259.0, 2026-11-24).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation

from flower_federation.environment import Layout, backend_folder
from flower_federation.errors import InputError, ToolError
from flower_federation.operations_engine import InterruptibleCommand, said_by
from flower_federation.operations_locks import remove_stale_locks
from flower_federation.operations_progress import OperationProgress
from flower_federation.trusted import TrustedZone, trusted_zones

PROJECT = "flower-federation"
STACKS_FOLDER = "stacks"
KINDS = ("central", "zone")
_SALT = "encryptionsalt"


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """A stack's name and what its file says of its place in the federation."""

    name: str
    kind: str
    """`central` or `zone`."""
    zone: str
    central: str | None
    """Of a zone: short name of its centre's stack."""
    trusted: tuple[str, ...] = ()
    """Of a centre: short names of the stacks that it trusts."""
    invited: tuple[TrustedZone, ...] = ()
    """Of a centre: zones that it trusts and that answer with a file."""
    revoked: tuple[str, ...] = ()
    """Of a centre: names and key fingerprints of nodes that it keeps out."""
    endpoint: str = ""
    """oned's URL; empty where the file leaves it to the environment."""
    data_path: str | None = None
    """Of a zone: the guests' folder with its data."""
    uploads_image: bool = False
    """Whether the stack uploads its image (`image.path`), rather than finding one in its zone."""

    @property
    def full_name(self) -> str:
        """The name that the engine and other stacks use."""
        return f"organization/{PROJECT}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How many resources an operation changed."""

    created: int
    updated: int
    replaced: int
    deleted: int
    unchanged: int

    def __str__(self) -> str:
        """Such as `12 created` or `unchanged`."""
        parts = [
            f"{count} {word}"
            for word, count in (
                ("created", self.created),
                ("updated", self.updated),
                ("replaced", self.replaced),
                ("deleted", self.deleted),
            )
            if count
        ]
        return ", ".join(parts) or "unchanged"


def read_stack_files(project: Path) -> tuple[StackFile, ...]:
    """All stacks that have a file, centres first, then by name.

    Raises:
        InputError: A file is no YAML, or says no kind.
    """
    found = [_read_stack_file(path) for path in sorted((project / STACKS_FOLDER).glob("Pulumi.*.yaml"))]
    return tuple(sorted(found, key=lambda stack: (stack.kind != "central", stack.name)))


def _read_stack_file(path: Path) -> StackFile:
    name = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        config = {key.removeprefix(f"{PROJECT}:"): value for key, value in document["config"].items()}
        kind = config["kind"]
        if kind not in KINDS:
            raise ValueError(f"{PROJECT}:kind is {kind!r}")
        zones = trusted_zones(config, path.parent.parent)
        return StackFile(
            name=name,
            kind=kind,
            zone=str(config.get("zone", name)),
            central=_short((config.get("central") or {}).get("stack")) if kind == "zone" else None,
            trusted=tuple(zone.stack for zone in zones if zone.stack is not None),
            invited=tuple(zone for zone in zones if zone.stack is None),
            revoked=tuple(str(each) for entry in config.get("zones") or () for each in entry.get("revoked") or ()),
            endpoint=str(config.get("endpoint") or ""),
            data_path=(config.get("data") or {}).get("path"),
            uploads_image="path" in (config.get("image") or {}),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            given=f"{path.name}: {what}",
            rule=f"a stack file is YAML with config, and in it {PROJECT}:kind, one of {', '.join(KINDS)}",
            reason="the order of operations follows from the kinds of the stacks",
            remedy=f"correct stacks/{path.name}; stacks/README.md shows what each kind needs",
        ) from error


def _short(stack: Any) -> str | None:
    return None if stack is None else str(stack).rpartition("/")[2]


class Stacks:
    """Operations on the project's stacks.

    Args:
        layout: The clone.
        environment: The engine's whole environment, as of an activated clone.
        say: Prints one line of progress.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._layout = layout
        self._environment = dict(environment)
        self._say = say
        self._clock = clock
        self._command = InterruptibleCommand(venv=layout.venv, environment=self._environment, say=say)
        self._workspace = automation.LocalWorkspace(
            work_dir=str(layout.project), pulumi_command=self._command, env_vars={}
        )
        self._known: dict[str, dict[str, Any] | None] = {}
        """Outputs as this object last saw them: each look at the backend takes the engine half a second."""

    def exists(self, stack: StackFile) -> bool:
        """Whether the backend has the stack."""
        return any(summary.name.rpartition("/")[2] == stack.name for summary in self._workspace.list_stacks())

    def outputs(self, stack: StackFile) -> dict[str, Any] | None:
        """Outputs of a stack; None where it does not exist, nothing where it is destroyed. Secrets are left out."""
        if stack.name not in self._known:
            if not self.exists(stack):
                return None
            with self._tidy(stack):
                self._known[stack.name] = _plain(self._workspace.stack_outputs(stack.name))
        return self._known[stack.name]

    def secret_outputs(self, stack: StackFile) -> dict[str, Any] | None:
        """Outputs with secrets in clear, otherwise as `outputs`. Nothing of them is kept."""
        if not self.exists(stack):
            return None
        with self._tidy(stack):
            return {name: output.value for name, output in self._workspace.stack_outputs(stack.name).items()}

    def resources(self, stack: StackFile, type_token: str) -> tuple[str, ...]:
        """URNs of a stack's resources of one type; none where the stack does not exist."""
        if not self.exists(stack):
            return ()
        with self._tidy(stack):
            found = self._workspace.export_stack(stack.name).deployment or {}
        return tuple(each["urn"] for each in found.get("resources") or () if each["type"] == type_token)

    def up(self, stack: StackFile, *, replace: Sequence[str] = (), exclude: Sequence[str] = ()) -> Changes:
        """Bring a stack to what the program says; creates it where it does not exist.

        Args:
            stack: Which.
            replace: URNs of resources that are made anew whether they changed or not.
            exclude: URNs of resources that stay as they are, also where the program has them no longer.

        Raises:
            ToolError: The engine failed; its messages are in the error.
        """
        self._free(stack)
        self._known.pop(stack.name, None)
        with self._tidy(stack):
            selected = automation.Stack.create_or_select(stack.name, self._workspace)
            with OperationProgress(stack.name, self._say, self._clock) as progress:
                try:
                    result = selected.up(
                        on_event=progress.on_event,
                        show_secrets=False,
                        suppress_outputs=True,
                        replace=list(replace) or None,
                        exclude=list(exclude) or None,
                    )
                except automation.CommandError as error:
                    raise self._failed(stack, "up", progress, error) from error
        self._known[stack.name] = _plain(result.outputs)
        return _changes(result.summary.resource_changes)

    def destroy(self, stack: StackFile, *, remove: bool) -> Changes | None:
        """Delete everything of a stack; None where it does not exist.

        Args:
            stack: Which.
            remove: Remove the stack itself, too, with its history.

        Raises:
            ToolError: The engine failed; its messages are in the error.
        """
        if not self.exists(stack):
            return None
        self._free(stack)
        with self._tidy(stack):
            selected = automation.Stack.select(stack.name, self._workspace)
            with OperationProgress(stack.name, self._say, self._clock) as progress:
                try:
                    result = selected.destroy(on_event=progress.on_event, show_secrets=False, suppress_outputs=True)
                except automation.CommandError as error:
                    raise self._failed(stack, "destroy", progress, error) from error
            self._known.pop(stack.name, None)
            if remove:
                self._workspace.remove_stack(stack.name, preserve_config=True)
        return _changes(result.summary.resource_changes)

    def forget(self, stack: StackFile) -> bool:
        """Drop a stack with all that it knows, without touching any cloud; whether it existed."""
        if not self.exists(stack):
            return False
        self._free(stack)
        self._known.pop(stack.name, None)
        with self._tidy(stack):
            self._workspace.remove_stack(stack.name, force=True, preserve_config=True)
        return True

    def drop_salt(self, stack: StackFile) -> bool:
        """Take the salt out of the file of a stack that does not exist; whether there was one that could go.

        It is of the passphrase that the stack had, and with another one the engine would not make the stack again.
        """
        path = self._file(stack)
        return has_salt(path) and not self.exists(stack) and drop_salt(path)

    def config(self, stack: StackFile) -> Mapping[str, Any]:
        """What the stack's file says, without the project's prefix."""
        document = yaml.safe_load(self._file(stack).read_text(encoding="utf-8")) or {}
        return {key.removeprefix(f"{PROJECT}:"): value for key, value in (document.get("config") or {}).items()}

    def set_config(self, stack: StackFile, values: Mapping[str, str]) -> None:
        """Write settings into the stack's file, comments kept; a salt that the engine adds on the way is left out.

        Args:
            stack: Which.
            values: By path, such as `caRollover.stage` or `nodeKeyEpochs[0]`.
        """
        path = self._file(stack)
        before = path.read_text(encoding="utf-8")
        selected = automation.Stack.select(stack.name, self._workspace)
        for name, value in values.items():
            selected.set_config(f"{PROJECT}:{name}", automation.ConfigValue(value=value), path=True)
        if f"{_SALT}:" not in before:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text("".join(line for line in lines if not line.startswith(f"{_SALT}:")), encoding="utf-8")

    def _file(self, stack: StackFile) -> Path:
        return self._layout.project / STACKS_FOLDER / f"Pulumi.{stack.name}.yaml"

    def _free(self, stack: StackFile) -> None:
        backend = backend_folder(str(self._environment.get("PULUMI_BACKEND_URL", "")))
        if backend is not None:
            for lock in remove_stale_locks(backend, stack.full_name):
                self._say(f"{stack.name}: removed the lock of process {lock.pid}, which is gone")

    @contextmanager
    def _tidy(self, stack: StackFile) -> Iterator[None]:
        path = self._file(stack)
        before = path.read_text(encoding="utf-8")
        try:
            yield
        finally:
            after = path.read_text(encoding="utf-8") if path.exists() else ""
            restored = without_new_salt(before, after)
            if restored != after:
                path.write_text(restored, encoding="utf-8")

    def _failed(
        self, stack: StackFile, verb: str, progress: OperationProgress, error: automation.CommandError
    ) -> ToolError:
        said = [text for text in progress.errors if "program exited with non-zero exit code" not in text]
        given = f"pulumi {verb} of {stack.name} failed:\n" + ("\n".join(said) or said_by(error))
        if isinstance(error, automation.ConcurrentUpdateError):
            return ToolError(
                given=given,
                rule="one command at a time works on a stack",
                reason="two would make the same things twice",
                remedy="wait until the process that is named above has ended, and run again",
            )
        return ToolError(
            given=given,
            rule="the engine ends without an error",
            reason="what it says above",
            remedy=f"correct what it names and run again; details: pulumi preview --diff -s {stack.name}",
        )


def has_salt(path: Path) -> bool:
    """Whether a stack's file carries the salt of a passphrase.

    Args:
        path: The file.
    """
    return any(line.startswith(f"{_SALT}:") for line in path.read_text(encoding="utf-8").splitlines())


def drop_salt(path: Path) -> bool:
    """Take the salt of a passphrase that is gone, or another's, out of a stack file; whether that could be done.

    With values that were encrypted with it in the file it stays: they are lost with the passphrase, which is for the
    engine to say.

    Args:
        path: The file.
    """
    text = path.read_text(encoding="utf-8")
    if not has_salt(path) or _has_encrypted(yaml.safe_load(text)):
        return False
    kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith(f"{_SALT}:"))
    path.write_text(kept, encoding="utf-8")
    return True


def _has_encrypted(value: Any) -> bool:
    if isinstance(value, dict):
        return "secure" in value or any(_has_encrypted(each) for each in value.values())
    return isinstance(value, list) and any(_has_encrypted(each) for each in value)


def without_new_salt(before: str, after: str) -> str:
    """The stack file as it was, if a salt is all that the engine added; otherwise what the engine wrote.

    The engine also puts numbers of the first level into quotes, which means the same to it.

    Args:
        before: The file's text before the engine ran.
        after: The text afterwards.
    """
    was, now = _meaning(before), _meaning(after)
    if _SALT in was or now.pop(_SALT, None) is None:
        return after
    return before if was == now else after


def _meaning(text: str) -> dict[str, Any]:
    document = yaml.safe_load(text) or {}
    config = document.get("config") or {}
    plain = {key: value if isinstance(value, dict | list) else str(value) for key, value in config.items()}
    return {**document, "config": plain}


def _plain(outputs: Mapping[str, automation.OutputValue]) -> dict[str, Any]:
    return {name: output.value for name, output in outputs.items() if not output.secret}


def _changes(counts: Mapping[Any, int] | None) -> Changes:
    by_name = {str(getattr(operation, "value", operation)): count for operation, count in (counts or {}).items()}
    return Changes(
        created=by_name.get("create", 0),
        updated=by_name.get("update", 0),
        replaced=by_name.get("replace", 0),
        deleted=by_name.get("delete", 0),
        unchanged=by_name.get("same", 0),
    )
