"""OneFlow of a zone: services as roles of VMs, over the ports in `zonebox.ports`. It knows no store and no driver."""
