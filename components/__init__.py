"""The federation's Pulumi components, and the pure decisions beside them."""
