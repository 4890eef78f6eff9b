"""A rehearsal e-journal that behaves as Kundelik does: same paths, shapes, ids, silences and errors."""

from sync.twins.kundelik.journal import Journal, create_journal

__all__ = ["Journal", "create_journal"]
