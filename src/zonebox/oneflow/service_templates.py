"""What callers do with service templates: make, change, clone, delete, instantiate. It deploys nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zonebox.errors import OneError
from zonebox.oneflow.errors import BadRequest, Refused, Unexpected
from zonebox.oneflow.lifecycle import Lifecycle, whole_number
from zonebox.oneflow.schema import validate_service
from zonebox.oneflow.templates import (
    check_inputs,
    check_networks,
    default_networks,
    merged_for_instance,
    upgraded_merge,
)
from zonebox.oneflow.zone import TEMPLATE, now_s, read_document
from zonebox.ports import Body, Caller
from zonebox.trees import clone


class ServiceTemplates:
    """The service templates of a zone.

    Args:
        lifecycle: makes the services.
    """

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.lifecycle = lifecycle
        self.zone = lifecycle.zone

    def read(self, caller: Caller, template_id: int) -> Body:
        """A template's document.

        Raises:
            NotFound, NotAuthorized: from oned.
        """
        return read_document(self.zone, caller, template_id, TEMPLATE)

    def create(self, caller: Caller, body: object) -> Body:
        """Store a new template; its document.

        Raises:
            BadRequest: it does not meet the schema.
        """
        checked = validate_service(body)
        checked["registration_time"] = now_s(self.zone)
        return self.read(caller, self.zone.documents.allocate(caller, TEMPLATE, str(checked["name"]), checked))

    def update(self, caller: Caller, template_id: int, body: object, *, append: bool = False) -> Body:
        """Replace a template, or add to it; its document.

        Raises:
            BadRequest: it does not meet the schema.
            Refused: `registration_time` would change.
        """
        present: Body = self.read(caller, template_id)["TEMPLATE"]["BODY"]
        if not isinstance(body, dict):
            raise BadRequest("KEY: '' must be an Object;")
        given: Body = clone(body)
        if append and given.get("registration_time") is not None:
            raise Refused("Immutable value: `service_template/registration_time` can not be changed")
        if given.get("registration_time") is None:
            given["registration_time"] = present.get("registration_time")
        if given["registration_time"] != present.get("registration_time"):
            raise Refused("Immutable value: `service_template/registration_time` can not be changed")
        checked = validate_service({**present, **given} if append else given)
        self.zone.documents.update(caller, template_id, checked)
        return self.read(caller, template_id)

    def delete(self, caller: Caller, template_id: int, kind: str) -> None:
        """Remove a template.

        Args:
            caller: on whose behalf.
            template_id: the template.
            kind: `none`; `templates` and `all`, which would remove VM templates and images too, are refused.

        Raises:
            Refused: another kind.
        """
        if kind != "none":
            raise Refused(
                f"delete_type {kind}: zonebox removes the service template only; VM templates and images may be in use "
                "elsewhere. Delete them by their own calls, and the service template with delete_type none"
            )
        self.read(caller, template_id)
        self.zone.documents.delete(caller, template_id)

    def clone(self, caller: Caller, template_id: int, name: str, recursive: object) -> Body:
        """Copy a template under another name; the copy's document.

        Raises:
            Refused: a recursive copy, which would copy VM templates too.
        """
        if recursive not in {None, "none", False}:
            raise Refused(
                f"recursive {recursive}: zonebox copies the service template only; VM templates keep their names. "
                "Clone them by their own calls, and the service template with recursive none"
            )
        body: Body = clone(self.read(caller, template_id)["TEMPLATE"]["BODY"])
        body["registration_time"] = now_s(self.zone)
        return self.read(caller, self.zone.documents.allocate(caller, TEMPLATE, name, body))

    def instantiate(self, caller: Caller, template_id: int, merge: Mapping[str, Any] | None) -> Body:
        """Make a service from a template; its document as it was when made.

        Args:
            caller: on whose behalf; owns the service.
            template_id: the template.
            merge: `merge_template`: what is put over the template for this service.

        Raises:
            BadRequest: inputs or networks are missing.
            Refused: the merged document does not meet the schema.
        """
        body: Body = self.read(caller, template_id)["TEMPLATE"]["BODY"]
        values = upgraded_merge(merge or {})
        check_inputs(body, values)
        if body.get("networks") and not values.get("networks_values"):
            if not isinstance(body["networks"], Mapping):
                raise BadRequest("Wrong networks format")
            values["networks_values"] = default_networks(body["networks"])
        check_networks(body, values.get("networks_values"))
        try:
            merged = validate_service(merged_for_instance(body, values))
        except BadRequest as error:
            # OneFlow answers 500 here, not 400 (7.0.1).
            raise Refused(str(error), brief=error.brief) from error
        return self.lifecycle.instantiate(caller, merged)

    def perform(self, caller: Caller, template_id: int, action: str, options: Mapping[str, Any]) -> bool:
        """Do one of the small actions; whether OneFlow answers that it did.

        Like OneFlow 7.0.1, it does not tell the caller when oned refuses chown, chgrp, chmod or rename, and answers an
        unknown action, or one without its option, with an empty success.
        """
        documents = self.zone.documents
        try:
            if action == "chown" and options.get("owner_id") is not None:
                # A missing group is group 0 there: OneFlow converts it to a number before it looks whether it is set.
                documents.chown(
                    caller, template_id, whole_number(options["owner_id"]), whole_number(options.get("group_id"))
                )
            elif action == "chgrp" and options.get("group_id") is not None:
                documents.chown(caller, template_id, -1, whole_number(options["group_id"]))
            elif action == "chmod" and options.get("octet") is not None:
                documents.chmod(caller, template_id, str(options["octet"]))
            elif action == "rename":
                documents.rename(caller, template_id, str(options.get("name") or ""))
            else:
                return False
        except (OneError, Unexpected):
            return True
        return True
