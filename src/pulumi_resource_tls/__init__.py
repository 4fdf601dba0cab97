"""A `tls` provider plugin for machines that cannot download the official one."""
