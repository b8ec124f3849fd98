"""The face for people: owners' pages and public pages. No models."""
