"""Documents: OneFlow's services and templates (or anyone's) as JSON text in TEMPLATE/BODY. It never reads the body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zonebox import template
from zonebox.model import permissions
from zonebox.model.pool import EVERYONES, Kind, Pool
from zonebox.ports import Body, Caller
from zonebox.trees import Tree, clone, text

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

DOCUMENT = Kind(
    key="document",
    tag="DOCUMENT",
    pool_tag="DOCUMENT_POOL",
    noun="document",
    acl="DOCUMENT",
    taken="DOCUMENT",
    unique="",
)


class DocumentPool(Pool):
    """The zone's documents, with XML-RPC's methods; `Documents` has those of ports.Documents."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, DOCUMENT)

    def allocate(self, caller: Caller, source: str, type_: int) -> int:
        """one.document.allocate."""
        self.require_create(caller)
        tree = template.parse(source)
        name = text(tree, "NAME")
        tree.pop("NAME", None)
        return self.create(caller, type_, name, tree)

    def create(self, caller: Caller, type_: int, name: str, tree: Tree) -> int:
        """Store a document."""
        id_ = self.store.next_id(DOCUMENT.key)
        head = permissions.head(caller, id_, name or f"document-{id_}")
        bits = head.pop("PERMISSIONS")
        self.save({**head, "TYPE": str(type_), "PERMISSIONS": bits, "TEMPLATE": tree})
        return id_

    def clone(self, caller: Caller, id_: int, name: str) -> int:
        """one.document.clone."""
        source = self.get(caller, id_, "USE")
        return self.create(caller, int(source["TYPE"]), name, source["TEMPLATE"])


class Documents:
    """ports.Documents over the pool: the body is a nested dict, stored as JSON text.

    Args:
        pool: the zone's documents.
    """

    def __init__(self, pool: DocumentPool) -> None:
        self._pool = pool

    def allocate(self, caller: Caller, type_: int, name: str, body: Body) -> int:
        """Store a document; its TEMPLATE is {"BODY": body}."""
        with self._pool.store.transaction():
            self._pool.require_create(caller)
            return self._pool.create(caller, type_, name, {"BODY": _dump(body)})

    def info(self, caller: Caller, id_: int) -> Body:
        """The whole DOCUMENT dict, with TEMPLATE.BODY as stored."""
        return _loaded(self._pool.info(caller, id_))

    def update(self, caller: Caller, id_: int, body: Body) -> None:
        """Replace the BODY in one transaction."""
        with self._pool.store.transaction():
            tree = self._pool.get(caller, id_, "MANAGE")
            tree["TEMPLATE"]["BODY"] = _dump(body)
            self._pool.save(tree)

    def rename(self, caller: Caller, id_: int, name: str) -> None:
        """Change the document's name."""
        self._pool.rename(caller, id_, name)

    def chmod(self, caller: Caller, id_: int, octet: str) -> None:
        """Set permissions from an octet string such as "600"."""
        self._pool.chmod(caller, id_, [int(bit) for bit in permissions.from_octet(octet)])

    def chown(self, caller: Caller, id_: int, uid: int, gid: int) -> None:
        """Change owner and group; -1 keeps one."""
        self._pool.chown(caller, id_, uid, gid)

    def delete(self, caller: Caller, id_: int) -> None:
        """Remove the document."""
        self._pool.delete(caller, id_)

    def list(self, caller: Caller, type_: int) -> list[Body]:
        """All documents of a type that the caller may see, by id."""
        chosen = self._pool.select(caller, EVERYONES, where=lambda tree: tree["TYPE"] == str(type_))
        return [_loaded(tree) for tree in reversed(chosen)]


def _dump(body: Body) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _loaded(tree: Tree) -> Body:
    full: Body = clone(tree)
    body = full["TEMPLATE"].get("BODY", "")
    try:
        found = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        found = {}
    # Anybody may store documents by XML-RPC: what is no service must not look like one.
    full["TEMPLATE"]["BODY"] = found if isinstance(found, dict) else {}
    return full
