"""Turns the definitions into committed files: SDK modules, schema.json, reference pages. Needs no cloud."""
