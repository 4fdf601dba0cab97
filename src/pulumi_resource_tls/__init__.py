"""A `tls` provider plugin for machines that cannot download the official one.

It serves the four resources of pulumi_tls 5.6 with `cryptography`, from the Python index alone. It keeps no state,
opens no connection, and refuses what only the official plugin has (write-only keys, functions) by name.
"""
