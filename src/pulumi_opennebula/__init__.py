"""Pulumi resources for OpenNebula."""
