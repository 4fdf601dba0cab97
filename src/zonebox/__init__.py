"""An OpenNebula-compatible zone in one process: oned's XML-RPC, OneFlow and OneGate over one model in SQLite.

It knows neither Pulumi nor Flower: it runs whatever an image says, through a hypervisor driver.
"""
