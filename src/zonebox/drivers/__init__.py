"""Hypervisor drivers: what it means, on this host, to start and stop a VM."""
