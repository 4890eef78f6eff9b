"""The groups of a course, read from the LMS after a teacher's launch and shown to plugins with the people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, select

from connector.base.errors import Fatal, Record
from connector.base.log import get_logger
from connector.db.tables.launches import account, context, launch
from connector.db.tables.rosters import course_group, course_group_member, group_source
from connector.db.upsert import upsert
from connector.host.notices import Lately
from connector.host.runtime import Runtime
from lti.tool.groups import CourseGroupsService
from lti.tool.launch import Launch
from lti.tool.nrps import NamesAndRolesService
from lti.tool.ports import Registration
from lti.tool.roles import Role
from sync.jobs import queue
from sync.jobs.runner import Handler, JobContext

READ_GROUPS = "read_groups"
# Where the roster does not say who is in which group, each person seen in the course is asked for, up to so many.
MOST_ASKED = 200
_STAFF = {Role.INSTRUCTOR, Role.ASSISTANT, Role.ADMINISTRATOR}
log = get_logger("host.groups")
_asked = Lately()


def offer_groups(runtime: Runtime, launched: Launch, school_id: str, context_id: str | None) -> None:
    """Have a course's groups read after a teacher's launch that says where they are, once an hour.

    Args:
        runtime: The process.
        launched: The launch.
        school_id: The school.
        context_id: Our id of the course.
    """
    told = launched.groups
    if told is None or context_id is None or not launched.roles & _STAFF:
        return
    if _asked.lately(school_id, context_id, told.groups_url):
        return
    values = {
        "school_id": school_id, "context": context_id, "registration_id": launched.registration.id,
        "deployment_id": launched.deployment_id, "groups_url": told.groups_url, "sets_url": told.sets_url,
        "state": "asked", "reason": "", "updated_at": runtime.clock(),
    }  # fmt: skip
    with runtime.database.school(school_id) as db:
        upsert(db, group_source, values, ("school_id", "context"))
        queue.put(db, school_id, READ_GROUPS, context_id, {"context": context_id}, lane=launched.registration.id)
    runtime.doorbell.ring()


def groups_handler(runtime: Runtime) -> Handler:
    """Return the handler of ``read_groups`` jobs: reads a course's groups whole and replaces what was known."""

    def handle(context: JobContext) -> None:
        source = _source(runtime, context.school_id, context.payload["context"])
        registration = runtime.registry.get(source.registration_id) if source is not None else None
        if source is None or registration is None:
            return
        try:
            groups, members = _read(runtime, registration, source)
        except (Fatal, Record) as error:
            log.warning("groups_refused", reason=error.reason, context=source.context)
            _note(runtime, source, "refused", error.reason)
            return
        _replace(runtime, source, groups, members)

    return handle


def _source(runtime: Runtime, school_id: str, context_id: str) -> Any:
    query = (
        select(group_source, context.c.memberships_url)
        .join(context, (context.c.school_id == group_source.c.school_id) & (context.c.id == group_source.c.context))
        .where(group_source.c.school_id == school_id, group_source.c.context == context_id)
    )
    with runtime.database.school(school_id, write=False) as db:
        return db.execute(query).one_or_none()


def _read(
    runtime: Runtime, registration: Registration, source: Any
) -> tuple[dict[str, tuple[str, str]], set[tuple[str, str]]]:
    """Return the groups as (name, set's name) by id, and who is in them as (group id, sub)."""
    whose = (runtime.outbound, runtime.token_source, registration, source.deployment_id)
    service = CourseGroupsService(*whose)
    sets = {one.id: one.name for one in service.read_sets(source.sets_url)} if source.sets_url else {}
    groups = {one.id: (one.name, sets.get(one.set_id, "")) for one in service.read_groups(source.groups_url)}
    members: set[tuple[str, str]] = set()
    if groups and source.memberships_url:
        roster = NamesAndRolesService(*whose).read_members(source.memberships_url)
        members = {(group, one.user_id) for one in roster.members if one.status == "Active" for group in one.groups}
    if groups and not members:
        members = set(_one_by_one(runtime, service, source))
    return groups, {(group, sub) for group, sub in members if group in groups}


def _one_by_one(runtime: Runtime, service: CourseGroupsService, source: Any) -> Iterator[tuple[str, str]]:
    query = (
        select(account.c.sub)
        .join(launch, (launch.c.school_id == account.c.school_id) & (launch.c.account == account.c.id))
        .where(account.c.school_id == source.school_id, launch.c.context == source.context)
        .distinct()
        .order_by(account.c.sub)
        .limit(MOST_ASKED)
    )
    with runtime.database.school(source.school_id, write=False) as db:
        subs = db.execute(query).scalars().all()
    for sub in subs:
        for group in service.read_groups(source.groups_url, user_id=sub):
            yield group.id, sub


def _replace(
    runtime: Runtime, source: Any, groups: Mapping[str, tuple[str, str]], members: set[tuple[str, str]]
) -> None:
    place = {"school_id": source.school_id, "context": source.context}
    with runtime.database.school(source.school_id) as db:
        for table in (course_group_member, course_group):
            db.execute(table.delete().where(table.c.school_id == source.school_id, table.c.context == source.context))
        if groups:
            rows = [
                {**place, "group_id": group, "name": name, "set_name": set_name}
                for group, (name, set_name) in groups.items()
            ]
            db.execute(course_group.insert(), rows)
        if members:
            db.execute(
                course_group_member.insert(), [{**place, "group_id": group, "sub": sub} for group, sub in members]
            )
    _note(runtime, source, "read", "")


def _note(runtime: Runtime, source: Any, state: str, reason: str) -> None:
    mine = (group_source.c.school_id == source.school_id) & (group_source.c.context == source.context)
    values = {"state": state, "reason": reason, "updated_at": runtime.clock()}
    with runtime.database.school(source.school_id) as db:
        db.execute(group_source.update().where(mine).values(values))


def groups_of(db: Connection, school_id: str, context_id: str) -> dict[str, tuple[str, ...]]:
    """Return the names of each person's groups in a course, by our account id."""
    member, group = course_group_member.c, course_group.c
    query = (
        select(account.c.id, group.name)
        .select_from(course_group_member)
        .join(
            course_group,
            (group.school_id == member.school_id)
            & (group.context == member.context)
            & (group.group_id == member.group_id),
        )
        .join(context, (context.c.school_id == member.school_id) & (context.c.id == member.context))
        .join(
            account,
            (account.c.school_id == member.school_id)
            & (account.c.issuer == context.c.issuer)
            & (account.c.sub == member.sub),
        )
        .where(member.school_id == school_id, member.context == context_id)
        .order_by(group.set_name, group.name)
    )
    found: dict[str, tuple[str, ...]] = {}
    for row in db.execute(query):
        found[row.id] = (*found.get(row.id, ()), row.name)
    return found
