"""Let a validated launch in: accounts, contexts and links are found or made, and the launch row spends its nonce."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.exc import IntegrityError

from connector.base.i18n import LANGUAGES
from connector.base.ids import is_id, new_id
from connector.base.secrets import fingerprint, new_token
from connector.db.prepared import Prepared
from connector.db.tables.launches import account, context, launch, resource_link
from connector.host.directory import School
from connector.host.known import Known, look_up
from connector.host.legacy import adopt, proven, remember
from connector.host.links import ACTIVITY_PARAMETER, close_former, is_its_own
from connector.host.nameless import course_of
from connector.host.runtime import Runtime
from lti.errors import Check, LaunchReason
from lti.tool.claims import Context, DeepLinkingSettings
from lti.tool.ladder import Rung
from lti.tool.launch import Launch
from lti.tool.refusals import refuse
from lti.tool.roles import Role
from lti.tool.variables import filled
from plugins.contract import Role as PageRole

SITTING = timedelta(hours=12)


@dataclass(frozen=True)
class Admitted:
    """A launch that was let in: where its pages are, and the secret that opens them."""

    launch_id: str
    school_id: str
    secret: str = field(repr=False)
    max_age: int
    context_id: str | None = None


@dataclass(frozen=True)
class Session:
    """One launch's session, as a request finds it by its secret."""

    launch_id: str
    school_id: str
    registration_id: str
    message_type: str
    account_id: str | None
    context: str | None
    resource_link: str | None
    role: PageRole
    language: str
    viewer_name: str
    details: Mapping[str, Any]
    activity_id: str | None
    expires_at: datetime
    rung: str = ""


_INSERT = Prepared(launch.insert(), [column.name for column in launch.c if column.name != "used_ticket_at"])


def admit(runtime: Runtime, launched: Launch, school: School, rung: Rung = Rung.COOKIE) -> Admitted:
    """Store a launch and what it names, in one transaction, and by which rung of the ladder it came.

    Raises:
        LaunchRefused: ``replayed``: this launch was let in before, by whichever process.
    """
    now = runtime.clock()
    secret, launch_id = new_token(), new_id()
    legacy, further = proven(runtime, launched)
    try:
        with runtime.database.school(school.id) as db:
            if legacy is not None:
                adopt(db, school.id, launched, legacy)
            names = _names(launched)
            course = course_of(db, school.id, launched, names)
            known = look_up(db, school.id, names if course is None else {**names, "context": course.id})
            account_id = _account(known, school.id, launched, now)
            context_id = _context(known, school.id, launched, course, now)
            link_id = _link(db, known, school.id, launched, context_id, now)
            values = {
                "school_id": school.id, "id": launch_id, "registration_id": launched.registration.id,
                "nonce": launched.nonce, "secret_hash": fingerprint(secret), "message_type": launched.message_type,
                "account": account_id, "context": context_id, "resource_link": link_id,
                "role": str(page_role(launched.roles)), "roles": list(launched.role_uris),
                "language": language_of(launched, school), "target": launched.target_link_uri,
                "details": _details(launched), "trace": [_check(check) for check in (*launched.trace, *further)],
                "created_at": now, "expires_at": now + SITTING, "rung": str(rung),
            }  # fmt: skip
            _INSERT.do(db, values)
            if legacy is not None:
                remember(db, launched, legacy, values)
    except IntegrityError as error:
        if "nonce" not in str(error.orig):
            raise
        raise refuse(
            LaunchReason.REPLAYED,
            return_url=launched.presentation.return_url,
            registration_id=launched.registration.id,
        ) from error
    return Admitted(launch_id, school.id, secret, int(SITTING.total_seconds()), context_id)


def was_let_in(runtime: Runtime, registration_id: str, nonce: str) -> bool:
    """Tell whether the launch with this nonce was let in before."""
    query = select(launch.c.id).where(launch.c.registration_id == registration_id, launch.c.nonce == nonce).limit(1)
    with runtime.database.service(write=False) as db:
        return db.execute(query).first() is not None


def page_role(roles: frozenset[Role]) -> PageRole:
    """Reduce a launch's roles to what our pages know; a test user is a pupil whose marks are not sent."""
    if roles & {Role.INSTRUCTOR, Role.ASSISTANT, Role.ADMINISTRATOR}:
        return PageRole.TEACHER
    return PageRole.PUPIL if roles & {Role.LEARNER, Role.TEST_USER} else PageRole.OTHER


def language_of(launched: Launch, school: School) -> str:
    """Return the language of the launch's locale where we speak it, else the school's."""
    code = (launched.locale or "").replace("_", "-").split("-")[0].lower()
    return code if code in LANGUAGES else school.language


def _names(launched: Launch) -> dict[str, str]:
    """Return what the launch names, for one look at what is known of it."""
    names = {"issuer": launched.registration.issuer, "deployment": launched.deployment_id}
    if launched.subject is not None:
        names["sub"] = launched.subject
    if launched.resource_link is not None:
        names["link"] = launched.resource_link.id
    wanted = launched.custom.get(ACTIVITY_PARAMETER, "")
    return {**names, "activity": wanted} if is_id(wanted) else names


def _account(known: Known, school_id: str, launched: Launch, now: datetime) -> str | None:
    if launched.subject is None:
        return None
    names = launched.names
    parts = [part for part in (names.family, names.given) if part]
    told = {
        "display_name": names.full or " ".join(parts), "family_name": names.family, "given_name": names.given,
        "sourcedid": launched.lis.person_sourcedid,
    }  # fmt: skip
    values = {
        "school_id": school_id, "issuer": launched.registration.issuer, "sub": launched.subject,
        "registration_id": launched.registration.id, "seen_at": now, **_told(told),
    }  # fmt: skip
    return known.keep("account", account, values, ("school_id", "issuer", "sub"))


def _context(known: Known, school_id: str, launched: Launch, course: Context | None, now: datetime) -> str | None:
    if course is None:
        return None
    values = {
        "school_id": school_id, "issuer": launched.registration.issuer,
        "registration_id": launched.registration.id, "deployment_id": launched.deployment_id,
        "context_id": course.id, "scopes": [], "seen_at": now,
        **_told({"label": course.label, "title": course.title}),
    }  # fmt: skip
    kept: tuple[str, ...] = ()
    if launched.nrps is not None:
        values["memberships_url"] = launched.nrps.memberships_url
    if launched.ags is not None:
        values |= {"line_items_url": launched.ags.line_items, "scopes": sorted(launched.ags.scopes)}
    else:
        # A message without the gradebook's claim (deep linking may lack it) does not take the gradebook away.
        kept = ("scopes",)
    key = ("school_id", "issuer", "deployment_id", "context_id")
    return known.keep("context", context, values, key, kept)


def _told(values: Mapping[str, str | None]) -> dict[str, str]:
    """Return what the launch does tell, as text that a database takes; what it leaves out stays as it was."""
    return {name: storable(value) for name, value in values.items() if value}


def storable(text: str) -> str:
    """Return a text without what no database keeps: NUL, and halves of letters that a cut left behind."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def _link(
    db: Connection, known: Known, school_id: str, launched: Launch, context_id: str | None, now: datetime
) -> str | None:
    if launched.resource_link is None or context_id is None:
        return None
    values = {
        "school_id": school_id, "context": context_id, "link_id": launched.resource_link.id,
        "seen_at": now, **_told({"title": launched.resource_link.title}),
    }  # fmt: skip
    if launched.ags is not None:
        values["line_item_url"] = launched.ags.line_item
    claimed = launched.custom.get(ACTIVITY_PARAMETER, "")
    if is_id(claimed):
        values["claimed"] = claimed
        if not known.opens(claimed):
            close_former(db, known, school_id, claimed)
            if is_its_own(db, known, school_id, context_id):
                values["activity"] = known.activity_id
    return known.keep("link", resource_link, values, ("school_id", "context", "link_id"))


def _details(launched: Launch) -> dict[str, Any]:
    return {
        "return_url": launched.presentation.return_url,
        "document_target": launched.presentation.document_target,
        "deployment_id": launched.deployment_id,
        "test_user": Role.TEST_USER in launched.roles,
        "administrator": Role.ADMINISTRATOR in launched.roles,
        "for_user": launched.for_user.user_id if launched.for_user else None,
        "deep_linking": _settings(launched.deep_linking),
        **_told_by_variables(launched),
    }


def _told_by_variables(launched: Launch) -> dict[str, Any]:
    """Return what substituted variables say: where the course and the link were copied from, and the dates."""
    told = filled(launched.custom)
    return {"variables": told} if told else {}


def _settings(settings: DeepLinkingSettings | None) -> dict[str, Any] | None:
    if settings is None:
        return None
    values = asdict(settings)
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}


def deep_linking_of(session: Session) -> DeepLinkingSettings | None:
    """Return what the picker may answer with, as the launch brought it."""
    kept = session.details.get("deep_linking")
    if kept is None:
        return None
    sets = {name: frozenset(kept.get(name, ())) for name in ("accept_types", "accept_targets", "accept_media_types")}
    return DeepLinkingSettings(**{**kept, **sets})


def _check(check: Check) -> list[str]:
    return [check.name, check.clause, str(check.outcome)]


def find_session(runtime: Runtime, launch_id: str, cookie: str) -> Session | None:
    """Return the session of a launch for whoever holds its secret; another launch's secret opens nothing.

    Args:
        runtime: The process.
        launch_id: From the address.
        cookie: ``<school id>.<secret>``, from the cookie whose Path is this launch.
    """
    school_id, _, secret = cookie.partition(".")
    if not (is_id(school_id) and is_id(launch_id) and secret and secret.isascii()):
        return None
    return _find(runtime, school_id, launch_id, fingerprint(secret))


def session_of(runtime: Runtime, school_id: str, launch_id: str) -> Session | None:
    """Return a launch's session for a caller who has proved by a signature of ours that it is this browser's."""
    return _find(runtime, school_id, launch_id, None) if is_id(school_id) and is_id(launch_id) else None


def _find(runtime: Runtime, school_id: str, launch_id: str, secret_hash: str | None) -> Session | None:
    with runtime.database.school(school_id, write=False) as db:
        row = db.execute(_session_query(school_id, launch_id)).first()
    if row is None or row.expires_at <= runtime.clock():
        return None
    if secret_hash is not None and not hmac.compare_digest(row.secret_hash, secret_hash):
        return None
    return _session(row)


def school_of_launch(runtime: Runtime, launch_id: str) -> str | None:
    """Return the school of a launch, for a page that may not open it; asked of the service role."""
    if not is_id(launch_id):
        return None
    with runtime.database.service(write=False) as db:
        return db.execute(select(launch.c.school_id).where(launch.c.id == launch_id)).scalar_one_or_none()


def _session_query(school_id: str, launch_id: str) -> Any:
    mine = (account.c.school_id == launch.c.school_id) & (account.c.id == launch.c.account)
    linked = (resource_link.c.school_id == launch.c.school_id) & (resource_link.c.id == launch.c.resource_link)
    return (
        select(
            launch,
            func.coalesce(account.c.display_name, "").label("viewer_name"),
            account.c.language.label("chosen_language"),
            resource_link.c.activity,
        )
        .outerjoin(account, mine)
        .outerjoin(resource_link, linked)
        .where(launch.c.school_id == school_id, launch.c.id == launch_id)
    )


def _session(row: Row[Any]) -> Session:
    return Session(
        launch_id=row.id,
        school_id=row.school_id,
        registration_id=row.registration_id,
        message_type=row.message_type,
        account_id=row.account,
        context=row.context,
        resource_link=row.resource_link,
        role=PageRole(row.role),
        language=row.chosen_language or row.language,
        viewer_name=row.viewer_name,
        details=row.details,
        activity_id=row.activity,
        expires_at=row.expires_at,
        rung=row.rung,
    )


def choose_language(runtime: Runtime, session: Session, language: str) -> None:
    """Remember the language a person chose on our pages; it outlives the launch."""
    if session.account_id is None or language not in runtime.settings.languages:
        return
    with runtime.database.school(session.school_id) as db:
        mine = (account.c.school_id == session.school_id) & (account.c.id == session.account_id)
        db.execute(account.update().where(mine).values(language=language))
