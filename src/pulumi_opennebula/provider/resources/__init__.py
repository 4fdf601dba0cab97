"""One module a resource type: what it checks, its mapping to OpenNebula and back, and the few calls it makes."""
