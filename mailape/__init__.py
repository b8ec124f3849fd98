"""MailApe: newsletters and mailing lists, each confirmed subscriber once, with the proof on record.

The layers stand in `pyproject.toml` under `tool.importlinter`; docs/develop/architecture.md tells
why.
"""

__version__ = "0.1.0"
