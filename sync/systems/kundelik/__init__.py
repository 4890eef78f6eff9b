"""Kundelik.kz and its relatives of one code base: the adapter over the v2 API."""

from sync.systems.kundelik.client import KundelikClient
from sync.systems.kundelik.system import KundelikSystem

__all__ = ["KundelikClient", "KundelikSystem"]
