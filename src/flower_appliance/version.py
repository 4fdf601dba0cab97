"""The one Flower version: image, CLI, demo, checks and docs read it here."""

FLOWER_VERSION = "1.41.0"
