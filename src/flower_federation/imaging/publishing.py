"""Brings an image into a zone: Image, VM template, service template and, where there is one, a marketplace appliance.

Every object is found by its name and made, corrected or left as it is, by the provider's own handlers; so a second run
changes nothing, and one that was interrupted is finished by the next. It builds no image and starts no VM.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flower_federation import upgrade_facts
from flower_federation.console import Console, Step
from flower_federation.errors import InputError
from flower_federation.imaging import catalog
from flower_federation.imaging.catalog import Published, Release
from pulumi_opennebula.errors import RefusedError
from pulumi_opennebula.provider import diffs
from pulumi_opennebula.provider.resources import image_checksum, marketplace_appliance
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.resources.image import ImageHandler
from pulumi_opennebula.provider.resources.marketplace_appliance import MarketplaceApplianceHandler
from pulumi_opennebula.provider.resources.service_template import ServiceTemplateHandler
from pulumi_opennebula.provider.resources.template import TemplateHandler
from pulumi_opennebula.provider.templates import Body, children, render, text_at
from pulumi_opennebula.provider.zone import EVERY, NOT_DONE, Zone

STEPS = 5
"""Steps that `publish` shows."""
MINE = (-3, -1, -1)
"""Filter of pool calls: objects of this user (OpenNebula XML-RPC reference)."""
WRITABLE_MARKETS = ("http", "s3")
"""Marketplaces that take appliances; the public ones (`one`, `linuxcontainers`, `dockerhub`, ...) do not."""
IMPORT_TIMEOUT_S = 1800.0
"""Longest wait for a datastore or marketplace that copies an image."""
IN_ERROR = "5"
"""State ERROR of an image (pyone.IMAGE_STATES)."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is published where."""

    file: Path
    """The image, with its SHA-256 known to be `release.sha256`."""
    release: Release
    source: str
    """Where the zone finds the file: a path of the front-end's or a URL."""
    datastore: str
    """Name or id."""
    marketplace: str | None = None
    """Name or id; None: the zone's only one that takes appliances, if there is one."""
    prune: bool = False
    """Whether older images of the variant go that nothing needs."""


@dataclass(kw_only=True)
class Result:
    """What came of it."""

    objects: dict[str, dict[str, object]] = field(default_factory=dict)
    """Kind -> `id`, `name` and `done` (made, updated or unchanged)."""
    removed: list[Published] = field(default_factory=list)
    kept: list[tuple[Published, str]] = field(default_factory=list)
    """Older images that stay, and why."""

    def note(self, kind: str, id_: str, name: str, done: str) -> None:
        """Keep what was done with one object."""
        self.objects[kind] = {"id": int(id_), "name": name, "done": done}

    @property
    def summary(self) -> dict[str, object]:
        """For `--json`."""
        return {
            **self.objects,
            "removed": [image.summary for image in self.removed],
            "kept": [{**image.summary, "why": why} for image, why in self.kept],
        }


async def publish(zone: Zone, request: Request, console: Console) -> Result:
    """Publish an image.

    Raises:
        InputError: Datastore or marketplace is not there, a name is taken by somebody else's object, or the file is not
            the one that was vouched for.
        OpenNebulaError: The zone refused or failed; what is there already is taken up by the next run.
    """
    release, result = request.release, Result()
    with console.step(f"image {release.image_name}") as step:
        image_id = await _image(zone, request, step, result)
    with console.step(f"VM template {release.template_name}") as step:
        inputs = catalog.template_inputs(release, image_id)
        wanted = _Wanted("template", TemplateHandler(), await _template_id(zone, release), inputs)
        template_id = await _object(zone, wanted, step, result)
    with console.step(f"service template {release.template_name}-supernodes") as step:
        inputs = catalog.service_inputs(release, template_id)
        id_ = await _service_template_id(zone, inputs["name"])
        await _object(zone, _Wanted("service_template", ServiceTemplateHandler(), id_, inputs), step, result)
    with console.step("marketplace appliance") as step:
        await _appliance(zone, request, image_id, step, result)
    with console.step("older images") as step:
        await prune(zone, release, result, remove=request.prune)
        step.done(_outcome(result, removes=request.prune))
    return result


async def published(zone: Zone) -> tuple[Published, ...]:
    """The zone's images of ours, newest first.

    Raises:
        OpenNebulaError: The zone does not answer.
    """
    return catalog.published_in(await zone.oned.info("imagepool.info", *EVERY))


async def prune(zone: Zone, release: Release, result: Result, *, remove: bool) -> None:
    """Remove older images of a variant that nothing needs; `result` gets what was done.

    Needed is what a VM uses, what a VM template names, and what a VM goes back to where its upgrade fails.

    Raises:
        OpenNebulaError: The zone refused or failed; what is removed by then is in `result`.
    """
    machines = await zone.oned.info("vmpool.infoextended", *EVERY, NOT_DONE, "")
    referred = catalog.referred_images(await zone.oned.info("templatepool.info", *EVERY))
    gone, kept = catalog.judge_old(
        await published(zone),
        name=release.name,
        variant=release.variant,
        current=release.image_name,
        referred=referred,
        awaited=upgrade_facts.images_to_go_back_to(machines),
    )
    result.kept += kept
    apps = await zone.oned.info("marketapppool.info", *EVERY)
    for image in gone:
        if not remove:
            result.kept.append((image, "nothing needs it; --prune removes it"))
            continue
        for app in children(apps, "MARKETPLACEAPP"):
            if text_at(app, "NAME") == image.name and text_at(app, "TEMPLATE", catalog.IS_ONE):
                await MarketplaceApplianceHandler().delete(_call(zone, "delete"), text_at(app, "ID"), {})
        try:
            await ImageHandler().delete(_call(zone, "delete"), str(image.id), {})
        except RefusedError as error:
            # A VM may have been made of it since.
            result.kept.append((image, error.answer or str(error)))
        else:
            result.removed.append(image)


async def _image(zone: Zone, request: Request, step: Step, result: Result) -> int:
    release, handler = request.release, ImageHandler()
    call = _call(zone, "create", step.note)
    found = next((image for image in await published(zone) if image.name == release.image_name), None)
    if found is not None and found.sha256 != release.sha256:
        raise InputError(
            given=f"image {found.id} {found.name!r} with {catalog.SHA256} {found.sha256 or 'missing'}",
            rule=f"it has {release.sha256}, whose first digits its name ends with",
            reason="another image took the name, or its attributes were changed",
            remedy=f"look at image {found.id}, rename or delete it, and publish again",
        )
    if found is not None and found.state == IN_ERROR:
        step.note(f"image {found.id} is in ERROR since an earlier run; it is made anew")
        await handler.delete(_call(zone, "delete"), str(found.id), {})
        found = None
    if found is not None:
        await handler.settle(call, str(found.id), {"name": found.name})
        result.note("image", str(found.id), found.name, "unchanged")
        step.done(f"{found.id}, unchanged")
        return found.id
    sha1 = await image_checksum.verified(str(request.file), release.sha256, step.note)
    datastore = await _datastore(zone, request.datastore)
    inputs = catalog.image_inputs(release, source=request.source, datastore=datastore, sha1=sha1)
    id_ = await handler.create(call, inputs)
    step.note(f"image {id_}: the datastore copies {request.source}")
    await handler.settle(call, id_, inputs)
    result.note("image", id_, release.image_name, "made")
    step.done(f"{id_}, made")
    return int(id_)


@dataclass(frozen=True)
class _Wanted:
    """An object as it shall be."""

    kind: str
    """As the result calls it."""
    handler: Handler
    id: str | None
    """Of the one that is there; None: there is none."""
    inputs: dict[str, Any]


async def _object(zone: Zone, wanted: _Wanted, step: Step, result: Result) -> int:
    """Make an object, or bring the one that is there to what it shall be; anew where it cannot be changed to that."""
    handler, id_, inputs = wanted.handler, wanted.id, wanted.inputs
    call, done = _call(zone, "update", step.note), "unchanged"
    if id_ is not None:
        old = await handler.read(call, id_, inputs) or {}
        changes = handler.refine(diffs.changes(handler.definition.record, old, inputs), old, inputs)
        if changes:
            step.note("changed: " + ", ".join(sorted({str(change.path[0]) for change in changes})))
        if any(change.replace for change in changes):
            await handler.delete(_call(zone, "delete", step.note), id_, old)
            id_ = None
        elif changes:
            await handler.update(call, id_, old, inputs)
            done = "updated"
    if id_ is None:
        id_, done = await handler.create(_call(zone, "create", step.note), inputs), "made"
        await handler.settle(_call(zone, "create", step.note), id_, inputs)
    result.note(wanted.kind, id_, str(inputs["name"]), done)
    step.done(f"{id_}, {done}")
    return int(id_)


async def _appliance(zone: Zone, request: Request, image_id: int, step: Step, result: Result) -> None:
    release = request.release
    market = await _market(zone, request.marketplace)
    if market is None:
        step.done("none: no marketplace of this zone takes appliances")
        return
    apps = await zone.oned.info("marketapppool.info", *EVERY)
    mine = (app for app in children(apps, "MARKETPLACEAPP") if text_at(app, "NAME") == release.image_name)
    app = next((app for app in mine if text_at(app, "MARKETPLACE_ID") == str(market)), None)
    id_ = None if app is None else text_at(app, "ID")
    if app is not None and id_ is not None:
        handler, call = MarketplaceApplianceHandler(), _call(zone, "delete", step.note)
        if marketplace_appliance.state_of(app) == "ERROR":
            step.note(f"appliance {id_} is in ERROR since an earlier run; it is made anew")
            await handler.delete(call, id_, {})
            id_ = None
        else:
            # An earlier run may have been interrupted while the marketplace was copying.
            await handler.settle(call, id_, {"name": release.image_name})
    imported = render([("DEV_PREFIX", "vd"), ("TYPE", "OS"), *release.tags.items()])
    inputs = catalog.appliance_inputs(
        release,
        image_id=image_id,
        market_id=market,
        apptemplate64=base64.b64encode(imported.encode()).decode(),
    )
    await _object(zone, _Wanted("marketplace_appliance", MarketplaceApplianceHandler(), id_, inputs), step, result)


async def _template_id(zone: Zone, release: Release) -> str | None:
    pool = await zone.oned.info("templatepool.info", *MINE)
    found = next(
        (item for item in children(pool, "VMTEMPLATE") if text_at(item, "NAME") == release.template_name), None
    )
    if found is None:
        return None
    if not text_at(found, "TEMPLATE", catalog.IS_ONE):
        raise InputError(
            given=f"VM template {text_at(found, 'ID')} {release.template_name!r} without {catalog.IS_ONE}",
            rule="a template of that name is one that scripts/image publish made",
            reason="it would be overwritten",
            remedy="rename the template that is there, and publish again",
        )
    return text_at(found, "ID")


async def _service_template_id(zone: Zone, name: str) -> str | None:
    answer = await zone.flow.get("/service_template")
    documents = list(children(answer, "DOCUMENT_POOL", "DOCUMENT"))
    mine = text_at(await zone.oned.info("user.info", -1), "ID")
    return next(
        (text_at(item, "ID") for item in documents if text_at(item, "NAME") == name and text_at(item, "UID") == mine),
        None,
    )


async def _datastore(zone: Zone, wanted: str) -> int:
    pool = await zone.oned.info("datastorepool.info")
    images = [item for item in children(pool, "DATASTORE") if text_at(item, "TYPE") == "0"]
    return _chosen(images, wanted, "image datastore")


async def _market(zone: Zone, wanted: str | None) -> int | None:
    pool = await zone.oned.info("marketpool.info", *EVERY)
    markets = [
        item for item in children(pool, "MARKETPLACE") if text_at(item, "MARKET_MAD").lower() in WRITABLE_MARKETS
    ]
    if wanted is not None:
        return _chosen(markets, wanted, "marketplace that takes appliances")
    if len(markets) > 1:
        raise InputError(
            given=f"marketplaces {', '.join(text_at(item, 'NAME') for item in markets)}",
            rule="one of them is named",
            reason="an appliance is published in one marketplace",
            remedy="add --marketplace NAME",
        )
    return int(text_at(markets[0], "ID")) if markets else None


def _chosen(items: list[Body], wanted: str, what: str) -> int:
    found = [item for item in items if wanted in {text_at(item, "ID"), text_at(item, "NAME")}]
    if len(found) != 1:
        names = ", ".join(f"{text_at(item, 'NAME')} ({text_at(item, 'ID')})" for item in items)
        raise InputError(
            given=f"{what} {wanted!r}",
            rule=f"it is the name or id of one {what} of the zone",
            reason=f"the zone has {names or 'none'}",
            remedy="choose one of these",
        )
    return int(text_at(found[0], "ID"))


def _call(zone: Zone, operation: str, progress: Callable[[str], None] = lambda _: None) -> Call:
    return Call(zone=zone, operation=operation, timeout_s=IMPORT_TIMEOUT_S, progress=progress)


def _outcome(result: Result, *, removes: bool) -> str:
    gone = ", ".join(image.name for image in result.removed)
    parts = [f"removed {gone}"] if gone else []
    parts += [f"kept {image.name}: {why}" for image, why in result.kept]
    return "; ".join(parts) or ("none to remove" if removes else "none")
