"""The federation program: settings, then the stack kind, then its exports."""
