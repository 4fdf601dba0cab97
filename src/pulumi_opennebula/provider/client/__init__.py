"""Clients of the two endpoints. They know calls and errors, not resources."""
