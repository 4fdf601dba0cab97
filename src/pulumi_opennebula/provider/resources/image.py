"""Image: attributes to template text and back, waiting until the datastore has it, and its calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from pulumi_opennebula.definitions.image import IMAGE
from pulumi_opennebula.errors import FailedObjectError, InputError
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.diffs import Change
from pulumi_opennebula.provider.resources import image_checksum, shared
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.templates import Attribute, Body, children, render, text_at
from pulumi_opennebula.provider.values import Values
from pulumi_opennebula.provider.vectors import OwnedTemplate, scalar_attributes, scalar_properties, tag_attributes
from pulumi_opennebula.provider.waiting import Object
from pulumi_opennebula.provider.zone import EVERY

TYPES: Final = ("OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT", "FILESYSTEM", "BACKUP")
STATES: Final = (
    "INIT",
    "READY",
    "USED",
    "DISABLED",
    "LOCKED",
    "ERROR",
    "CLONE",
    "DELETE",
    "USED_PERS",
    "LOCKED_USED",
    "LOCKED_USED_PERS",
)
"""Types and states of images by number: pyone.IMAGE_TYPES and pyone.IMAGE_STATES (7.3.80), BACKUP from 7.0's manual."""
USABLE: Final = frozenset({"READY", "USED", "USED_PERS"})
DISABLED: Final = "DISABLED"
"""What somebody made of an image on purpose: it changes all the same, and waiting would not end it."""
IN_TEMPLATE: Final = ("description", "devPrefix", "target", "driver")
AT_CREATION: Final = ("type", "path", "size", "persistent", "format")
OWNED: Final = OwnedTemplate(
    scalars=("DESCRIPTION", "DEV_PREFIX", "TARGET", "DRIVER"),
    vectors=(),
    foreign=("NAME", "TYPE", "PATH", "SIZE", "PERSISTENT", "FORMAT", "FS", "ERROR", "MD5", "SHA1", "SOURCE"),
)


class ImageHandler(Handler):
    """The resource type Image."""

    definition = IMAGE
    owned = OWNED
    replaced_where_failed = True

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse an image that comes from nowhere or from two places."""
        shared.check_common(inputs, findings, OWNED)
        sources = [name for name in ("path", "cloneFromImage") if inputs.get(name) is not None]
        if len(sources) > 1:
            findings.refuse(
                ("cloneFromImage",),
                inputs["cloneFromImage"],
                "it excludes path",
                "an image is copied from one place",
                "Remove one of the two",
            )
        if not sources and str(inputs.get("type", "")).upper() == "DATABLOCK" and inputs.get("size") is None:
            findings.refuse(
                ("size",),
                "missing",
                "an empty data block needs it",
                "OpenNebula must know how large to make it",
                "Give size in MB, or path or clone_from_image",
            )
        elif not sources and str(inputs.get("type") or "DATABLOCK").upper() != "DATABLOCK":
            findings.refuse(
                ("path",),
                "missing",
                f"an image of type {inputs.get('type')} needs it",
                "only a data block can be empty",
                "Give path or clone_from_image, or set type to DATABLOCK",
            )
        if isinstance(inputs.get("size"), int) and inputs["size"] < 1:
            findings.refuse(("size",), inputs["size"], "it must be at least 1", "it is in MB", "Correct size")
        if shared.known(inputs.get("checksum")):
            _check_checksum(inputs, findings)

    def refine(self, changes: list[Change], old: Values, new: Values) -> list[Change]:
        """A checksum given for the first time, or spelled in another way, says nothing of another file."""
        wanted = image_checksum.wanted_of(str(new.get("checksum")))
        same = wanted is not None and old.get("checksum") in {None, ""}
        same = same or image_checksum.wanted_of(str(old.get("checksum"))) == wanted
        if not same:
            return changes
        return [replace(change, replace=False) if change.path[0] == "checksum" else change for change in changes]

    def adopted(self, old: Values, new: Values) -> Values:
        """Where an image came from nobody can read, nor what size and format were asked for."""
        if new.get("path") is None and new.get("cloneFromImage") is None:
            return old
        return old | {name: new.get(name, old.get(name)) for name in ("cloneFromImage", "path", "size", "format")}

    async def create(self, call: Call, inputs: Values) -> str:
        """Allocate the image in its datastore, or clone another."""
        datastore = int(inputs["datastoreId"])
        if inputs.get("cloneFromImage") is not None:
            source = await self._image_id(call, str(inputs["cloneFromImage"]))
            return str(await call.zone.oned.call("image.clone", source, inputs["name"], datastore))
        hashes: list[Attribute] = []
        if inputs.get("checksum") is not None:
            wanted = image_checksum.wanted_of(str(inputs["checksum"])) or str(inputs["checksum"])
            sha1 = await image_checksum.verified(str(inputs.get("path")), wanted, call.progress)
            hashes.append(("SHA1", sha1))
        text = render(
            [
                ("NAME", inputs["name"]),
                *hashes,
                *scalar_attributes(IMAGE.record, AT_CREATION, inputs),
                *attributes(inputs, call.zone.settings.default_tags),
            ]
        )
        return str(await call.zone.oned.call("image.allocate", text, datastore, False))

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Wait until the datastore has the image, then set owner and lock."""
        number = int(id_)
        await self._ready(call, id_, inputs)
        if inputs.get("cloneFromImage") is not None:
            # oned copies the other image's template; its description is not this program's.
            body = await call.zone.object("image", number) or {}
            text = render(updated(body, {}, inputs, call.zone.settings.default_tags))
            await call.zone.oned.call("image.update", number, text, 0)
            await self._set_kind(call, number, inputs)
        await shared.set_owner(call, "image", number, {}, inputs)
        await shared.lock(call, "image", number, inputs)

    async def has_failed(self, call: Call, id_: str) -> bool:
        """Whether it still cannot be used."""
        return state_of(await call.zone.object("image", int(id_))) not in USABLE

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The image's properties."""
        body = await call.zone.object("image", int(id_))
        return None if body is None else properties(body, old, call.zone.settings.default_tags)

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Replace what is ours in the template, type, persistence, owner and lock."""
        number = int(id_)
        await self._ready(call, id_, new, disabled_too=True)
        await shared.unlock(call, "image", number, old)
        await shared.rename(call, "image", number, old, new)
        body = await call.zone.object("image", number) or {}
        await call.zone.oned.call(
            "image.update", number, render(updated(body, old, new, call.zone.settings.default_tags)), 0
        )
        await self._set_kind(call, number, new)
        await shared.set_owner(call, "image", number, old, new)
        await shared.lock(call, "image", number, new)

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Delete the image and wait until the datastore has let it go; oned refuses while a VM uses it."""
        if await shared.delete_object(call, "image", int(id_), old):
            await call.zone.images.until(
                id_,
                _is_gone,
                what=f"the deletion of image {id_}",
                timeout_s=call.timeout_of(old),
                describe=state_of,
            )

    async def _ready(self, call: Call, id_: str, values: Values, *, disabled_too: bool = False) -> None:
        call.progress(f"image {values.get('name')}: waiting for the datastore")
        await call.zone.images.until(
            id_,
            lambda found: is_ready(found) or (disabled_too and state_of(found) == DISABLED),
            what=f"image {id_}",
            timeout_s=call.timeout_of(values),
            describe=state_of,
        )

    async def _set_kind(self, call: Call, number: int, new: Values) -> None:
        body = await call.zone.object("image", number) or {}
        seen = properties(body, None, {})
        if new.get("persistent") is not None and bool(new["persistent"]) != seen["persistent"]:
            await call.zone.oned.call("image.persistent", number, bool(new["persistent"]))
        if new.get("type") is not None and str(new["type"]).upper() != seen["type"]:
            await call.zone.oned.call("image.chtype", number, str(new["type"]).upper())

    async def _image_id(self, call: Call, wanted: str) -> int:
        if wanted.isdigit():
            return int(wanted)
        pool = await call.zone.oned.info("imagepool.info", *EVERY)
        found = [text_at(item, "ID") for item in children(pool, "IMAGE") if text_at(item, "NAME") == wanted]
        if len(found) != 1:
            raise InputError(
                "cloneFromImage",
                f"cloneFromImage is {wanted!r}",
                "it must be the id or the name of one image",
                f"the zone has {len(found)} images of that name that the user may see",
                "Give the id of the image",
            )
        return int(found[0])


def _check_checksum(inputs: Values, findings: Findings) -> None:
    """Refuse a checksum that is none or belongs to nothing, and a file of this machine that has another one."""
    given, path = inputs["checksum"], inputs.get("path")
    wanted = image_checksum.wanted_of(str(given))
    if wanted is None:
        findings.refuse(
            ("checksum",),
            given,
            "it must be a SHA-256: 64 hex digits, with or without sha256: before them",
            "it is compared with the file at path before the import",
            "Take it from the SHA256SUMS beside the image",
        )
    elif path is None:
        findings.refuse(
            ("checksum",),
            given,
            "it needs path",
            "only a file that is copied in has a checksum to compare",
            "Give path, or remove checksum",
        )
    elif shared.known(path) and not image_checksum.is_url(str(path)):
        # Here, so that a preview refuses it and nothing is replaced by it: the old image would be deleted first.
        refusal = image_checksum.verify_file(Path(str(path)), wanted)
        if refusal is not None:
            findings.refusals.append(refusal)


def attributes(inputs: Values, default_tags: Mapping[str, str]) -> list[Attribute]:
    """Template attributes that an update can change."""
    return scalar_attributes(IMAGE.record, IN_TEMPLATE, inputs) + tag_attributes(inputs, default_tags)


def updated(body: Body, old: Values, new: Values, default_tags: Mapping[str, str]) -> list[Attribute]:
    """The whole template after an update."""
    template = body.get("TEMPLATE")
    chosen = [name for name in IN_TEMPLATE if name != "description" and new.get(name) is None]
    seen = scalar_properties(IMAGE.record, chosen, template, None)
    return [
        *OWNED.kept(template, old),
        *scalar_attributes(IMAGE.record, chosen, seen),
        *attributes(new, default_tags),
    ]


def properties(body: Body, old: Values | None, default_tags: Mapping[str, str]) -> Values:
    """Properties of what `one.image.info` says."""
    template = body.get("TEMPLATE")
    before = old or {}
    found = shared.owner_outputs(body) | OWNED.tags(template, old, default_tags)
    found |= dict.fromkeys(("devPrefix", "target", "driver"), "")
    found |= scalar_properties(IMAGE.record, IN_TEMPLATE, template, old)
    kind = text_at(body, "TYPE")
    found |= {
        "imageId": text_at(body, "ID"),
        "group": text_at(body, "GNAME"),
        "lock": shared.lock_of(body) or (before.get("lock") if not shared.is_locked(before) else None),
        "datastoreId": int(text_at(body, "DATASTORE_ID") or 0),
        "type": TYPES[int(kind)] if kind.isdigit() and int(kind) < len(TYPES) else kind,
        "persistent": text_at(body, "PERSISTENT") == "1",
        "path": text_at(body, "PATH"),
        "size": int(text_at(body, "SIZE") or 0),
        "format": text_at(body, "FORMAT"),
        "cloneFromImage": before.get("cloneFromImage"),
    }
    # The datastore's driver measures what it copies and may convert it: what the program asked for would differ for
    # ever from what the cloud has, and these properties replace the image.
    copied = before.get("path") or before.get("cloneFromImage")
    for name in ("size", "format", "path"):
        if copied and before.get(name):
            found[name] = before[name]
    return found


def is_ready(found: Object | None) -> bool:
    """Whether an image can be used; raises where it never will."""
    state = state_of(found)
    if state in {"ERROR", "gone", "DELETE"}:
        reason = text_at(found or {}, "TEMPLATE", "ERROR") or "the datastore could not make it, or somebody deleted it"
        raise FailedObjectError(
            f"image {text_at(found or {}, 'NAME')!r} is {state}",
            "it must become READY",
            reason,
            "Correct path, size or datastore_id; the next `pulumi up` replaces the image",
        )
    return state in USABLE


def state_of(found: Object | None) -> str:
    """An image's state in words."""
    if found is None:
        return "gone"
    number = text_at(found, "STATE")
    return STATES[int(number)] if number.isdigit() and int(number) < len(STATES) else number


def _is_gone(found: Object | None) -> bool:
    if state_of(found) == "ERROR":
        raise FailedObjectError(
            f"image {text_at(found or {}, 'NAME')!r} is ERROR",
            "it must be gone",
            text_at(found or {}, "TEMPLATE", "ERROR") or "the datastore could not delete it",
            "Repair the datastore and run `pulumi destroy` again",
        )
    return found is None
