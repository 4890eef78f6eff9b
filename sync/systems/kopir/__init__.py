"""Kopir's own registers as a side: the people it keeps, and the attendance an LTI platform has no place for."""

from sync.systems.kopir.system import KopirSystem

__all__ = ["KopirSystem"]
