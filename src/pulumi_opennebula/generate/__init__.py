"""Turns the definitions into committed files: SDK modules, schema.json, the table of properties. Needs no cloud."""
