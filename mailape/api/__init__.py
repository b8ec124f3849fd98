"""The face for machines: JSON under /api/v1/. No models."""
