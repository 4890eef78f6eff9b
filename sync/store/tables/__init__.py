"""Tables of the sync, one module per subject; importing this package registers them all."""

from sync.store.tables import audit, cells, connections, people, plans, register

__all__ = ["audit", "cells", "connections", "people", "plans", "register"]
