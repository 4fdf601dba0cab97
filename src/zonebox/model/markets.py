"""Marketplaces and their appliances, as records. It downloads nothing: an appliance of zonebox has no content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonebox import template
from zonebox.errors import ActionRefused, Refused
from zonebox.model import permissions
from zonebox.model.pool import Kind, Pool
from zonebox.ports import Caller
from zonebox.trees import Tree, id_set, text

if TYPE_CHECKING:
    from zonebox.model.zone_model import Model

MARKET = Kind(
    key="market",
    tag="MARKETPLACE",
    pool_tag="MARKETPLACE_POOL",
    noun="marketplace",
    acl="MARKETPLACE",
    taken="MARKETPLACE",
    first_id=100,
)
APP = Kind(
    key="marketapp",
    tag="MARKETPLACEAPP",
    pool_tag="MARKETPLACEAPP_POOL",
    noun="marketplaceapp",
    acl="MARKETPLACEAPP",
    taken="MARKETPLACEAPP",
)
_APP_TYPES = {"IMAGE": "1", "VMTEMPLATE": "2", "SERVICE_TEMPLATE": "3"}


class MarketPool(Pool):
    """The zone's marketplaces."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, MARKET)

    def allocate(self, caller: Caller, source: str) -> int:
        """one.market.allocate. Raises Refused: an attribute is missing."""
        self.require_create(caller)
        tree = template.parse(source)
        name = text(tree, "NAME")
        tree.pop("NAME", None)
        self.free_name(name, caller.uid)
        if not text(tree, "MARKET_MAD"):
            raise Refused("No MARKET_MAD in template.")
        id_ = self.store.next_id(MARKET.key, MARKET.first_id)
        head = permissions.head(caller, id_, name, "110100100")
        bits = head.pop("PERMISSIONS")
        self.save(
            {
                **head,
                "STATE": "0",
                "MARKET_MAD": text(tree, "MARKET_MAD"),
                "ZONE_ID": "0",
                "TOTAL_MB": "0",
                "FREE_MB": "0",
                "USED_MB": "0",
                "MARKETPLACEAPPS": {},
                "PERMISSIONS": bits,
                "TEMPLATE": tree,
            }
        )
        return id_

    def shown(self, tree: Tree) -> Tree:
        """The marketplace with its appliances."""
        apps = [app for app in self.model.apps.everything() if app["MARKETPLACE_ID"] == tree["ID"]]
        return {**tree, "MARKETPLACEAPPS": id_set(int(app["ID"]) for app in apps)}

    def delete(self, caller: Caller, id_: int) -> None:
        """Remove an empty marketplace. Raises ActionRefused: it has appliances."""
        tree = self.shown(self.get(caller, id_, "MANAGE"))
        if tree["MARKETPLACEAPPS"]:
            raise ActionRefused("Cannot delete marketplace. Marketplace is not empty.")
        self.store.drop(MARKET.key, id_)

    def enable(self, caller: Caller, id_: int, enabled: bool) -> None:
        """Let a marketplace be used, or not."""
        tree = self.get(caller, id_, "ADMIN")
        tree["STATE"] = "0" if enabled else "1"
        self.save(tree)


class AppPool(Pool):
    """The zone's appliances."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, APP)

    def allocate(self, caller: Caller, source: str, market_id: int) -> int:
        """one.marketapp.allocate. Raises Refused: an attribute is missing or wrong."""
        self.require_create(caller)
        market = self.model.markets.peek(market_id)
        tree = template.parse(source)
        name = text(tree, "NAME")
        self.free_name(name, caller.uid)
        kind = text(tree, "TYPE").upper()
        if kind not in _APP_TYPES:
            raise Refused(f"Wrong TYPE {kind}: IMAGE, VMTEMPLATE or SERVICE_TEMPLATE is expected.")
        origin = text(tree, "ORIGIN_ID")
        if not origin.lstrip("-").isdecimal():
            raise Refused("Wrong or missing ORIGIN_ID attribute.")
        for key in ("NAME", "ORIGIN_ID"):
            tree.pop(key, None)
        id_ = self.store.next_id(APP.key)
        head = permissions.head(caller, id_, name)
        bits = head.pop("PERMISSIONS")
        del head["NAME"]
        self.save(
            {
                **head,
                "REGTIME": str(self.model.now()),
                "NAME": name,
                "ZONE_ID": "0",
                "ORIGIN_ID": origin,
                "SOURCE": "",
                "MD5": "",
                "SIZE": text(tree, "SIZE") or "0",
                "DESCRIPTION": text(tree, "DESCRIPTION"),
                "VERSION": text(tree, "VERSION"),
                "FORMAT": text(tree, "FORMAT"),
                "APPTEMPLATE64": text(tree, "APPTEMPLATE64"),
                "MARKETPLACE_ID": str(market_id),
                "MARKETPLACE": market["NAME"],
                "STATE": "1",
                "TYPE": _APP_TYPES[kind],
                "PERMISSIONS": bits,
                "TEMPLATE": tree,
            }
        )
        return id_

    def update_template(self, tree: Tree, new: Tree) -> None:
        """Replace the template; the elements that repeat it follow."""
        super().update_template(tree, new)
        for key in ("DESCRIPTION", "VERSION", "APPTEMPLATE64"):
            if key in new:
                tree[key] = text(new, key)

    def enable(self, caller: Caller, id_: int, enabled: bool) -> None:
        """Let an appliance be used, or not."""
        tree = self.get(caller, id_, "MANAGE")
        tree["STATE"] = "1" if enabled else "4"
        self.save(tree)
