"""Other scanners, each in an environment of its own (they do not install together)."""
