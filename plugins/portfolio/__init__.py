"""The pupil's portfolio: finished work arrives by itself, a pupil adds a note, a teacher verifies."""

from __future__ import annotations

from plugins.portfolio.plugin import Portfolio

plugin = Portfolio()
