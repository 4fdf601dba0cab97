"""What the scripts call: engine, environments, stacks through the Automation API, demo and previews."""
