"""The face for operators: the `mailape` commands. No models."""
