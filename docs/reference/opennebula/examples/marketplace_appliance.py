"""An appliance that carries a VM template and no image: whoever imports it gets the template."""

import base64

import pulumi

import pulumi_opennebula as one

shelf = one.Marketplace(
    "shelf", https=[one.MarketplaceHttpArgs(endpoint_url="http://images.example.org/shelf", path="/srv/shelf")]
)
starter = one.MarketplaceAppliance(
    "starter",
    description="A small machine to start from",
    market_id=shelf.id.apply(int),
    type="VMTEMPLATE",
    version="1.2.0",
    apptemplate64=base64.b64encode(b'CPU="0.5"\nMEMORY="512"').decode(),
    tags={"project": "docs"},
)
pulumi.export("starter_appliance", starter.id)
