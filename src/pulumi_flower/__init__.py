"""Pulumi resources for a Flower SuperLink: which SuperNodes it lets in."""
