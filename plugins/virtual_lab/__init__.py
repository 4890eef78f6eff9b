"""Virtual labs: seeded per pupil, measured on the server, scored by recomputing."""

from __future__ import annotations

from plugins.virtual_lab.plugin import VirtualLab

plugin = VirtualLab()
