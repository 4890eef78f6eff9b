"""What an integrator writes, and what reads it: files in, values out, no network and no database."""

from pathlib import Path

from connector.base.i18n import catalogue

catalogue.add(Path(__file__).parent / "i18n")
