"""The engine: build → queue → render → send → status."""
