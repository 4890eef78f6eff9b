"""Online tests: question files in, sittings with a server's deadline, scores out through the host."""

from plugins.online_test.plugin import plugin

__all__ = ["plugin"]
