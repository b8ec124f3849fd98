"""Erasing a person across every app. No models of its own."""
