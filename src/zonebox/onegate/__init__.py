"""OneGate of a zone: what a VM may see and change, over the ports in `zonebox.ports`."""
