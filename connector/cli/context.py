"""What commands share: settings and a runtime, made once and closed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connector.base.config import load_settings
from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.log import setup_logging
from connector.host.registry import School
from connector.host.runtime import Runtime, build_runtime


@contextmanager
def opened_runtime() -> Iterator[Runtime]:
    """Open the runtime of this installation."""
    settings = load_settings()
    setup_logging(settings.log_level)
    runtime = build_runtime(settings)
    try:
        yield runtime
    finally:
        runtime.database.close()


def the_school(runtime: Runtime, code: str | None) -> School:
    """Return the school with this code; without a code, the only school.

    Raises:
        Fatal: There is none with this code, or the choice is not clear.
    """
    if code is not None:
        found = runtime.registry.school(code=code)
        if found is None:
            known = ", ".join(school.code for school in runtime.registry.schools()) or "-"
            text = N_("There is no school {code}. Known: {known}. `kopir lti platforms add` makes one.")
            raise Fatal("unknown_school", say(text, code=code, known=known))
        return found
    schools = runtime.registry.schools()
    if len(schools) != 1:
        known = ", ".join(school.code for school in schools) or "-"
        raise Fatal("which_school", say(N_("Name the school with --school. Known: {known}."), known=known))
    return schools[0]
