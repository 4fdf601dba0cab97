"""The provider plugin: what the Pulumi engine talks to. Programs import `pulumi_opennebula`, never this package."""
