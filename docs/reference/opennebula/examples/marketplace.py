"""A marketplace that is a folder which an HTTP server publishes. Only an administrator of the zone can make one."""

import pulumi

import pulumi_opennebula as one

catalogue = one.Marketplace(
    "team-catalogue",
    description="Images that the team has tested",
    https=[one.MarketplaceHttpArgs(endpoint_url="http://images.example.org/catalogue", path="/srv/catalogue")],
    tags={"project": "docs"},
)
pulumi.export("team_catalogue", catalogue.id)
