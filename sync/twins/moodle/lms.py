"""The rehearsal LMS as one object: its WSGI application, and what an administrator or a test does behind the pages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from flask import Flask

from connector.base.clock import Clock, utc_now
from connector.base.outbound import Outbound
from lti.platform.keys import PlatformKey, ToolKeys
from lti.platform.platform import LtiPlatform
from lti.platform.records import PlatformFacts, RegisteredTool
from lti.platform.storage import StorageOffer
from lti.tool.jwks import KeySets
from lti.vocab import Scope
from sync.twins.moodle import copying, oauth, registration, services
from sync.twins.moodle.faults import Fault, FaultGate
from sync.twins.moodle.gradebook import Gradebook
from sync.twins.moodle.parts import Parts
from sync.twins.moodle.records import Activity, Column, LmsUser, Quirks
from sync.twins.moodle.registry import FIRST_COURSE, Registry
from sync.twins.moodle.seed import seed
from sync.twins.moodle.store import Store
from sync.twins.moodle.web import pages


class Lms:
    """A running rehearsal LMS.

    Attributes:
        app: The WSGI application.
        base_url: Its own address and issuer.
    """

    def __init__(self, parts: Parts) -> None:
        """Build the application over its parts."""
        self._parts = parts
        self.base_url = parts.base_url
        flask = Flask(__name__, static_folder=None, template_folder="templates")
        flask.config.update(MAX_CONTENT_LENGTH=2 * 1024 * 1024, MAX_FORM_MEMORY_SIZE=1024 * 1024)
        flask.register_blueprint(oauth.blueprint(parts))
        flask.register_blueprint(services.blueprint(parts))
        flask.register_blueprint(registration.blueprint(parts))
        pages.install(flask, parts)
        self.app = FaultGate(flask.wsgi_app)

    def platform_facts(self) -> PlatformFacts:
        """Return what an administrator types into a tool."""
        return self._parts.platform.facts

    def register_tool(
        self,
        name: str,
        *,
        login_url: str,
        redirect_uris: Iterable[str],
        jwks_url: str,
        target_link_uri: str,
        deep_linking_url: str | None = None,
        scopes: Iterable[str] = tuple(Scope),
        custom: Mapping[str, str] | None = None,
    ) -> RegisteredTool:
        """Register a tool by hand and return it with its new client id and deployment id.

        Args:
            name: What teachers see.
            login_url: The tool's login initiation address.
            redirect_uris: The only addresses it may be answered at.
            jwks_url: Its public keys.
            target_link_uri: What is launched when a link names no address.
            deep_linking_url: What is launched to choose content; the target link when None.
            scopes: Granted service scopes; all five unless told.
            custom: Custom parameters; ``$Person.sourcedId`` and its like are filled in.
        """
        texts = {
            "name": name,
            "login_url": login_url,
            "target_link_uri": target_link_uri,
            "deep_linking_url": deep_linking_url,
            "jwks_url": jwks_url,
            "custom": json.dumps(dict(custom or {}), ensure_ascii=False),
        }
        number = self._parts.registry.add_tool(texts, redirect_uris, [str(scope) for scope in scopes])
        tool = self._parts.registry.tool(number)
        if tool is None:
            raise KeyError(number)
        return tool

    def users(self) -> list[LmsUser]:
        """Return everybody of the course: teacher, assistant, pupils."""
        return self._parts.registry.users()

    def gradebook(self) -> list[Column]:
        """Return every column with its cells, straight from the store."""
        return self._parts.gradebook.columns()

    def copy_course(self, course_id: str = FIRST_COURSE) -> str:
        """Copy a course as Moodle does; return the new course's id."""
        return copying.copy_course(self._parts.store, course_id)

    def duplicate_activity(self, cmid: str) -> str:
        """Duplicate an activity within its course; return the duplicate's cmid."""
        return copying.duplicate_activity(self._parts.store, cmid)

    def delete_activity(self, cmid: str) -> None:
        """Delete an activity with its column."""
        copying.delete_activity(self._parts.store, cmid)

    def activities(self, course_id: str = FIRST_COURSE) -> list[Activity]:
        """Return a course's activities."""
        return self._parts.registry.activities(course_id)

    def override_grade(self, item_id: str, user_id: str, mark: Decimal | None) -> None:
        """Put in a teacher's mark that tools cannot change; None lifts it."""
        self._parts.gradebook.override(item_id, user_id, mark)

    def lock_grade(self, item_id: str, user_id: str, locked: bool = True) -> None:
        """Lock a grade against every change, or unlock it."""
        self._parts.gradebook.lock(item_id, user_id, locked)

    def suspend(self, user_id: str, suspended: bool = True) -> None:
        """Suspend an enrolment: out of the roster, still gradable."""
        self._parts.registry.suspend(user_id, suspended)

    def set_fault(self, kind: str, *, milliseconds: int = 0, times: int | None = None, path: str = "") -> None:
        """Switch a fault on; the kinds are those of `Fault`, ``none`` switches it off."""
        self.app.set(Fault(kind, milliseconds, times, path))

    def offer_storage(self, offer: StorageOffer | None, *, silent: bool = False) -> None:
        """Offer platform storage to tools as another LMS does, or, as Moodle, none.

        Args:
            offer: How; None takes it back.
            silent: Offer it and never answer.
        """
        self._parts.storage.offer, self._parts.storage.silent = offer, silent


def create_lms(
    store: Path,
    base_url: str,
    *,
    clock: Clock = utc_now,
    tool_outbound: Outbound,
    language: str = "kk",
    quirks: Quirks | None = None,
) -> Lms:
    """Open a rehearsal LMS on its SQLite file, filling a new one with the sample school.

    Args:
        store: The file; made when absent.
        base_url: The address the LMS is reached at, and its issuer; without a path.
        clock: The present.
        tool_outbound: The session through which tools' keys are read.
        language: The language of pages until a person chooses another.
        quirks: What differs between Moodle releases.
    """
    base = base_url.rstrip("/")
    file = Store(store)
    seed(file)
    registry = Registry(file)
    settings = {name: file.setting(name) or "" for name in ("key", "secret", "guid")}
    facts = PlatformFacts(base, f"{base}/mod/lti/auth.php", f"{base}/mod/lti/token.php", f"{base}/mod/lti/certs.php")
    platform = LtiPlatform(
        facts,
        PlatformKey(settings["key"]),
        tools=registry,
        once=registry,
        tool_keys=ToolKeys(KeySets(tool_outbound, clock=clock)),
        secret=settings["secret"],
        clock=clock,
        moodle_leniency=True,
    )
    parts = Parts(
        base_url=base,
        secret=settings["secret"],
        guid=settings["guid"],
        language=language,
        quirks=quirks or Quirks(),
        clock=clock,
        store=file,
        registry=registry,
        gradebook=Gradebook(file, registry, clock),
        platform=platform,
    )
    return Lms(parts)
