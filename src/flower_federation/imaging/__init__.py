"""Builds the appliance's bootable disk image from a declarative recipe. Starts no VM and talks to no cloud."""
