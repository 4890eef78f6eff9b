"""A rehearsal LMS that behaves as Moodle 4.5 does towards its tools, with pages of its own."""

from pathlib import Path

from connector.base.i18n import catalogue
from sync.twins.moodle.lms import Lms, create_lms
from sync.twins.moodle.records import Column, Grade, LineItem, LmsUser, Quirks

__all__ = ["Column", "Grade", "LineItem", "Lms", "LmsUser", "Quirks", "create_lms"]

catalogue.add(Path(__file__).parent / "i18n")
