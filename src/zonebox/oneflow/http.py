"""OneFlow's REST interface: decode, call, encode. It owns no behaviour of services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from zonebox.oneflow import render
from zonebox.oneflow.errors import BadJson, BadRequest, Refused, Unexpected
from zonebox.oneflow.lifecycle import ACTIONS, Lifecycle, whole_number
from zonebox.oneflow.requests import CALLER, action_of, guard, parse_json, reply
from zonebox.oneflow.schema import validate_role, validate_service
from zonebox.oneflow.service import FlowSettings
from zonebox.oneflow.service_templates import ServiceTemplates
from zonebox.oneflow.zone import SERVICE, TEMPLATE, FlowZone, read_document


def create_app(zone: FlowZone, settings: FlowSettings | None = None) -> web.Application:
    """The OneFlow server of a zone.

    Args:
        zone: the zone's ports.
        settings: defaults of the front-end; the watchdog must get the same.
    """
    lifecycle = Lifecycle(zone, settings)
    services = _Services(lifecycle)
    templates = _Templates(ServiceTemplates(lifecycle))
    app = web.Application(middlewares=[guard(zone)])
    app.add_routes(
        [
            web.get("/service", services.list),
            web.get(r"/service/{id:\d+}", services.show),
            web.put(r"/service/{id:\d+}", services.update),
            web.delete(r"/service/{id:\d+}", services.delete),
            web.post(r"/service/{id:\d+}/action", services.act),
            web.post(r"/service/{id:\d+}/scale", services.scale),
            web.post(r"/service/{id:\d+}/role_action", services.act_on_roles),
            web.post(r"/service/{id:\d+}/role/{role}/action", services.act_on_role),
            web.post("/service_pool/purge_done", services.purge_done),
            web.get("/service_template", templates.list),
            web.post("/service_template", templates.create),
            web.get(r"/service_template/{id:\d+}", templates.show),
            web.put(r"/service_template/{id:\d+}", templates.update),
            web.delete(r"/service_template/{id:\d+}", templates.delete),
            web.post(r"/service_template/{id:\d+}/action", templates.act),
        ]
    )
    return app


def _id(request: web.Request) -> int:
    return int(request.match_info["id"])


def _options(params: Any) -> dict[str, Any]:
    """Options of an action that OneFlow looks into without asking whether they are there."""
    if not isinstance(params, dict):
        raise Unexpected("undefined method `[]' for nil:NilClass")
    return params


class _Services:
    """Routes below /service."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.lifecycle = lifecycle
        self.zone = lifecycle.zone

    async def list(self, request: web.Request) -> web.Response:
        return reply(200, render.pool(self.zone.documents.list(request[CALLER], SERVICE)))

    async def show(self, request: web.Request) -> web.Response:
        return reply(200, render.document(read_document(self.zone, request[CALLER], _id(request), SERVICE)))

    async def delete(self, request: web.Request) -> web.Response:
        self.lifecycle.undeploy(request[CALLER], _id(request))
        return reply(204)

    async def purge_done(self, request: web.Request) -> web.Response:
        # Services in DONE do not outlive the round that brought them there.
        return reply(204)

    async def scale(self, request: web.Request) -> web.Response:
        try:
            body = _options(parse_json(await request.text()))
        except BadJson as error:
            raise Unexpected(str(error), brief=error.brief) from error
        self.lifecycle.scale(
            request[CALLER],
            _id(request),
            "" if body.get("role_name") is None else str(body["role_name"]),
            whole_number(body.get("cardinality")),
            body.get("force"),
        )
        return reply(204)

    async def update(self, request: web.Request) -> web.Response:
        document = parse_json(await request.text())
        append = isinstance(document, dict) and "append" in document
        if append:
            if "template" not in document:
                raise BadRequest("Missing template to append")
            appended, given = bool(document["append"]), document["template"]
            document = parse_json(given) if isinstance(given, str) else given
            append = appended
        if not append:
            document = validate_service(document)
        self.lifecycle.update(request[CALLER], _id(request), document, append=append)
        return reply(204)

    async def act(self, request: web.Request) -> web.Response:
        action, params = await action_of(request)
        caller, id_ = request[CALLER], _id(request)
        options: Mapping[str, Any] = params if isinstance(params, dict) else {}
        if action == "recover":
            self.lifecycle.recover(caller, id_, delete=bool(options.get("delete")))
        elif action == "release":
            self.lifecycle.release(caller, id_)
        elif action in ACTIONS:
            self.lifecycle.schedule(caller, id_, None, action, _options(params))
        else:
            self._change_document(request, action, options)
        return reply(204)

    def _change_document(self, request: web.Request, action: str, options: Mapping[str, Any]) -> None:
        caller, id_, documents = request[CALLER], _id(request), self.zone.documents
        needed = {"chown": ("owner_id", "a UID"), "chgrp": ("group_id", "a GID"), "chmod": ("octet", "an OCTET")}
        needed["rename"] = ("name", "a name")
        if action not in needed:
            raise Refused(f"Action {action} not supported")
        key, noun = needed[action]
        if not options.get(key) and options.get(key) != 0:
            raise Refused(f"Action {action}: You have to specify {noun}")
        read_document(self.zone, caller, id_, SERVICE)
        if action == "chown":
            group = options.get("group_id")
            documents.chown(
                caller, id_, whole_number(options["owner_id"]), -1 if group is None else whole_number(group)
            )
        elif action == "chgrp":
            documents.chown(caller, id_, -1, whole_number(options["group_id"]))
        elif action == "chmod":
            documents.chmod(caller, id_, str(options["octet"]))
        else:
            documents.rename(caller, id_, str(options["name"]))

    async def act_on_roles(self, request: web.Request) -> web.Response:
        action, params = await action_of(request)
        if action not in {"add_role", "remove_role"}:
            raise Refused(f"Action {action} not supported")
        role = _options(params).get("role")
        if action == "remove_role":
            self.lifecycle.remove_role(request[CALLER], _id(request), str(role))
        else:
            body = validate_role(role if isinstance(role, dict) else parse_json(str(role)))
            self.lifecycle.add_role(request[CALLER], _id(request), body)
        return reply(204)

    async def act_on_role(self, request: web.Request) -> web.Response:
        action, params = await action_of(request)
        name = request.match_info["role"]
        self.lifecycle.schedule(request[CALLER], _id(request), name, action, _options(params))
        return reply(204)


class _Templates:
    """Routes below /service_template."""

    def __init__(self, templates: ServiceTemplates) -> None:
        self.templates = templates

    async def list(self, request: web.Request) -> web.Response:
        return reply(200, render.pool(self.templates.zone.documents.list(request[CALLER], TEMPLATE)))

    async def show(self, request: web.Request) -> web.Response:
        return reply(200, render.document(self.templates.read(request[CALLER], _id(request))))

    async def create(self, request: web.Request) -> web.Response:
        body = parse_json(await request.text())
        return reply(201, render.document(self.templates.create(request[CALLER], body)))

    async def update(self, request: web.Request) -> web.Response:
        body = parse_json(await request.text())
        return reply(200, render.document(self.templates.update(request[CALLER], _id(request), body)))

    async def delete(self, request: web.Request) -> web.Response:
        try:
            body = parse_json(await request.text())
        except BadJson:
            body = None
        kind = body.get("delete_type") if isinstance(body, dict) else None
        self.templates.delete(request[CALLER], _id(request), str(kind or "none"))
        return reply(204)

    async def act(self, request: web.Request) -> web.Response:
        action, params = await action_of(request)
        caller, id_ = request[CALLER], _id(request)
        options: dict[str, Any] = params if isinstance(params, dict) else {}
        if action == "instantiate":
            merge = options.get("merge_template")
            service = self.templates.instantiate(caller, id_, merge if isinstance(merge, dict) else None)
            return reply(201, render.document(service))
        if action == "clone":
            copy = self.templates.clone(caller, id_, str(options.get("name") or ""), options.get("recursive"))
            return reply(201, render.document(copy))
        if action == "update" and options.get("template_json") is not None:
            given = options["template_json"]
            body = parse_json(given) if isinstance(given, str) else given
            self.templates.update(caller, id_, body, append=options.get("append") is True)
            return reply(204)
        return reply(204 if self.templates.perform(caller, id_, action, options) else 200)
