"""Live objects to bundles and back."""
