"""ServiceTemplate: a OneFlow service template, compared by meaning. Starts no service."""

from __future__ import annotations

from typing import Any

from pulumi_opennebula.definitions.service import SERVICE_TEMPLATE
from pulumi_opennebula.errors import NotFoundError
from pulumi_opennebula.provider.checks import Findings
from pulumi_opennebula.provider.diffs import Change
from pulumi_opennebula.provider.resources import documents, shared
from pulumi_opennebula.provider.resources.base import Call, Handler
from pulumi_opennebula.provider.templates import text_at
from pulumi_opennebula.provider.values import Values


class ServiceTemplateHandler(Handler):
    """The resource type ServiceTemplate."""

    definition = SERVICE_TEMPLATE
    needs_flow = True

    def check(self, inputs: Values, findings: Findings) -> None:
        """Refuse a template that OneFlow refuses, or whose roles would never be deployed."""
        shared.check_common(inputs, findings)
        body = documents.parsed(inputs.get("template"), findings, ("template",))
        if body is not None:
            documents.check_roles(body, findings, ("template",), complete=True)

    def refine(self, changes: list[Change], old: Values, new: Values) -> list[Change]:
        """Drop a difference of the text that is none of its meaning."""
        before, after = old.get("template"), new.get("template")
        if isinstance(before, str) and isinstance(after, str) and documents.same_template(before, after):
            return [change for change in changes if change.path != ("template",)]
        return changes

    async def create(self, call: Call, inputs: Values) -> str:
        """Post the template under the resource's name."""
        body = documents.request_body(inputs["template"], inputs["name"])
        return documents.document_id(await call.zone.flow.send("POST", "/service_template", body))

    async def settle(self, call: Call, id_: str, inputs: Values) -> None:
        """Set owner and permissions."""
        await documents.set_document_owner(call, _path(id_), {}, inputs)

    async def read(self, call: Call, id_: str, old: Values | None) -> Values | None:
        """The template's properties."""
        document = await call.zone.document(_path(id_))
        return None if document is None else properties(document, old)

    async def update(self, call: Call, id_: str, old: Values, new: Values) -> None:
        """Replace the body; services that run are not touched."""
        await documents.set_document_name(call, _path(id_), old, new)
        if not documents.same_template(str(old.get("template")), str(new["template"])):
            await call.zone.flow.send("PUT", _path(id_), documents.request_body(new["template"], new["name"]))
        await documents.set_document_owner(call, _path(id_), old, new)

    async def delete(self, call: Call, id_: str, old: Values) -> None:
        """Delete the template, not the VM templates of its roles."""
        try:
            await call.zone.flow.send("DELETE", _path(id_))
        except NotFoundError:
            return


def properties(document: dict[str, Any], old: Values | None) -> Values:
    """Properties of a service template's document."""
    seen = documents.template_text(document["TEMPLATE"]["BODY"])
    before = (old or {}).get("template")
    text = before if isinstance(before, str) and documents.same_template(before, seen) else seen
    return shared.owner_outputs(document) | {"serviceTemplateId": text_at(document, "ID"), "template": text}


def _path(id_: str) -> str:
    return f"/service_template/{id_}"
