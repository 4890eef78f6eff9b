"""Load every module that defines tables, so that the metadata is whole before it is migrated or compared."""

from __future__ import annotations

import importlib
import pkgutil

import sync
from connector.db import tables as ground


def import_tables() -> None:
    """Import the ground floor's table modules and every ``tables`` module or package of the sync room."""
    for package in (ground, sync):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            parts = module.name.split(".")
            if "twins" not in parts and "tables" in parts:
                importlib.import_module(module.name)
