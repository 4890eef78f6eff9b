"""The LTI 1.3 Advantage protocol; knows no web framework, no database and no school."""

from pathlib import Path

from connector.base.i18n import catalogue

catalogue.add(Path(__file__).parent / "i18n")
