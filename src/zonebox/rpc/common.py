"""Methods that most kinds of object have in common: info, rename, chmod, chown, update, delete, locks, pools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zonebox.model.pool import EVERYONES, Pool
from zonebox.model.zone_model import Model
from zonebox.ports import Caller
from zonebox.rpc.registry import INT, STR, Registry, optional
from zonebox.trees import Tree
from zonebox.xmltree import render

PoolOf = Callable[[Model], Pool]
_BITS = (INT,) * 9


def add(registry: Registry, prefix: str, pool_of: PoolOf, *names: str) -> None:
    """Add `one.<prefix>.<name>` for each of `names`."""
    for name in names:
        function, *params = _BUILDERS[name](pool_of)
        registry.add(f"one.{prefix}.{name}", function, *params)


def add_pool(registry: Registry, prefix: str, pool_of: PoolOf, *, filtered: bool = True) -> None:
    """Add `one.<prefix>pool.info`, with or without filter parameters."""

    def info(model: Model, caller: Caller, who: int = EVERYONES, start: int = -1, end: int = -1) -> str:
        pool = pool_of(model)
        return pool_xml(pool, pool.select(caller, who, start, end))

    params = (optional(int, EVERYONES), optional(int, -1), optional(int, -1)) if filtered else ()
    registry.add(f"one.{prefix}pool.info", info, *params)


def pool_xml(pool: Pool, trees: list[Tree]) -> str:
    """A pool document."""
    items = "".join(render(pool.kind.tag, pool.listed(tree)) for tree in trees)
    return f"<{pool.kind.pool_tag}>{items}</{pool.kind.pool_tag}>"


def _info(pool_of: PoolOf) -> list[Any]:
    def info(model: Model, caller: Caller, id_: int, _decrypt: bool) -> str:
        pool = pool_of(model)
        return render(pool.kind.tag, pool.info(caller, id_))

    return [info, INT, optional(bool, False)]


def _rename(pool_of: PoolOf) -> list[Any]:
    return [lambda model, caller, id_, name: pool_of(model).rename(caller, id_, name), INT, STR]


def _update(pool_of: PoolOf) -> list[Any]:
    def update(model: Model, caller: Caller, id_: int, source: str, append: int) -> None:
        pool_of(model).update(caller, id_, source, append)

    return [update, INT, STR, optional(int, 0)]


def _chmod(pool_of: PoolOf) -> list[Any]:
    def chmod(model: Model, caller: Caller, id_: int, *bits: Any) -> None:
        pool_of(model).chmod(caller, id_, [int(bit) for bit in bits[:9]])

    return [chmod, INT, *_BITS, optional(bool, False)]


def _chown(pool_of: PoolOf) -> list[Any]:
    return [lambda model, caller, id_, uid, gid: pool_of(model).chown(caller, id_, uid, gid), INT, INT, INT]


def _delete(pool_of: PoolOf) -> list[Any]:
    return [lambda model, caller, id_, _: pool_of(model).delete(caller, id_), INT, optional(bool, False)]


def _lock(pool_of: PoolOf) -> list[Any]:
    def lock(model: Model, caller: Caller, id_: int, level: int, test: bool) -> None:
        pool_of(model).lock(caller, id_, level, test=test)

    return [lock, INT, INT, optional(bool, False)]


def _unlock(pool_of: PoolOf) -> list[Any]:
    return [lambda model, caller, id_: pool_of(model).unlock(caller, id_), INT]


_BUILDERS: dict[str, Callable[[PoolOf], list[Any]]] = {
    "info": _info,
    "rename": _rename,
    "update": _update,
    "chmod": _chmod,
    "chown": _chown,
    "delete": _delete,
    "lock": _lock,
    "unlock": _unlock,
}
