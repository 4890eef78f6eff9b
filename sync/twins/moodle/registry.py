"""Look-ups and changes of everything but grades: people, tools, activities, columns."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from lti.platform.records import RegisteredTool
from sync.twins.moodle import records
from sync.twins.moodle.records import COURSE_ID, Activity, CourseRecord, LineItem, LmsUser
from sync.twins.moodle.store import Store

FIRST_COURSE = str(COURSE_ID)
_PEOPLE = "SELECT * FROM person JOIN enrolment ON person = id WHERE course = ?"


class Registry:
    """The LMS's records by id; ids are texts outside and numbers inside, as in Moodle."""

    def __init__(self, store: Store) -> None:
        """Take the store."""
        self._store = store

    def _all(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._store.read() as connection:
            return connection.execute(sql, values).fetchall()

    def spend(self, kind: str, value: str, until: datetime) -> bool:
        """Use a one-time value up, for the platform's checks."""
        return self._store.spend(kind, value, until)

    def course(self, course_id: str = FIRST_COURSE) -> CourseRecord | None:
        """Return a course, or None."""
        rows = self._all("SELECT * FROM course WHERE id = ?", (as_number(course_id),))
        return records.course_of(rows[0]) if rows else None

    def courses(self) -> list[CourseRecord]:
        """Return every course, the oldest first."""
        return [records.course_of(row) for row in self._all("SELECT * FROM course ORDER BY id")]

    def course_history(self, course_id: str) -> list[str]:
        """Return the courses this one was copied from, the nearest first."""
        origins = {str(row["course"]): str(row["origin"]) for row in self._all("SELECT * FROM course_origin")}
        found: list[str] = []
        while (course_id := origins.get(course_id, "")) and course_id not in found:
            found.append(course_id)
        return found

    def users(self) -> list[LmsUser]:
        """Return everybody enrolled, in the order of their ids; every course has the same people."""
        return [records.user_of(row) for row in self._all(_PEOPLE + " ORDER BY id", (COURSE_ID,))]

    def user(self, user_id: str) -> LmsUser | None:
        """Return one person of the course, or None."""
        number = as_number(user_id)
        rows = self._all(_PEOPLE + " AND id = ?", (COURSE_ID, number)) if number is not None else []
        return records.user_of(rows[0]) if rows else None

    def suspend(self, user_id: str, suspended: bool) -> None:
        """Suspend an enrolment, or lift the suspension."""
        with self._store.write() as connection:
            connection.execute("UPDATE enrolment SET suspended = ? WHERE person = ?", (int(suspended), int(user_id)))

    def find_tool(self, client_id: str) -> RegisteredTool | None:
        """Return the tool of a client id, or None."""
        rows = self._all("SELECT * FROM tool WHERE client_id = ?", (client_id,))
        return records.tool_of(rows[0]) if rows else None

    def tool(self, tool_id: int) -> RegisteredTool | None:
        """Return the tool of a number, or None."""
        rows = self._all("SELECT * FROM tool WHERE id = ?", (tool_id,))
        return records.tool_of(rows[0]) if rows else None

    def tools(self) -> list[RegisteredTool]:
        """Return every tool."""
        return [records.tool_of(row) for row in self._all("SELECT * FROM tool ORDER BY id")]

    def tool_custom(self, tool_id: int) -> dict[str, str]:
        """Return the custom parameters an administrator gave a tool."""
        rows = self._all("SELECT custom FROM tool WHERE id = ?", (tool_id,))
        return dict(json.loads(rows[0]["custom"])) if rows else {}

    def add_tool(self, tool: Mapping[str, str | None], redirect_uris: Iterable[str], scopes: Iterable[str]) -> int:
        """Register a tool under a new random client id and return its number."""
        client_id = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(15))
        columns = ("name", "login_url", "target_link_uri", "deep_linking_url", "jwks_url", "custom")
        values = [tool[name] for name in columns]
        with self._store.write() as connection:
            cursor = connection.execute(
                f"INSERT INTO tool ({', '.join(columns)}, client_id, redirect_uris, scopes)"  # noqa: S608 - our names.
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, client_id, json.dumps(list(redirect_uris)), json.dumps(list(scopes))),
            )
            return int(cursor.lastrowid or 0)

    def keep_registered(
        self, tool: Mapping[str, str | None], redirect_uris: Iterable[str], scopes: Iterable[str], client_id: str,
        number: int | None,
    ) -> int:  # fmt: skip
        """Keep a tool that registered itself: a new one is pending, one that is known is brought up to date."""
        columns = ("name", "login_url", "target_link_uri", "deep_linking_url", "jwks_url", "custom")
        values = (*(tool[name] for name in columns), json.dumps(list(redirect_uris)), json.dumps(list(scopes)))
        names = (*columns, "redirect_uris", "scopes")
        with self._store.write() as connection:
            if number is not None:
                sets = ", ".join(f"{name} = ?" for name in names)
                connection.execute(f"UPDATE tool SET {sets} WHERE id = ?", (*values, number))  # noqa: S608 - our names.
                return number
            cursor = connection.execute(
                f"INSERT INTO tool ({', '.join(names)}, client_id)"  # noqa: S608 - our names.
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, client_id),
            )
            made = int(cursor.lastrowid or 0)
            connection.execute("INSERT INTO pending_tool VALUES (?)", (made,))
            return made

    def pending(self) -> frozenset[str]:
        """Return the deployment ids of tools that nobody activated yet."""
        return frozenset(str(row["tool"]) for row in self._all("SELECT tool FROM pending_tool"))

    def activate(self, tool_id: int) -> None:
        """Let a pending tool be used in courses."""
        with self._store.write() as connection:
            connection.execute("DELETE FROM pending_tool WHERE tool = ?", (tool_id,))

    def activities(self, course_id: str = FIRST_COURSE) -> list[Activity]:
        """Return a course's activities in the order they were added."""
        sql = "SELECT * FROM activity WHERE course = ? ORDER BY id"
        return [records.activity_of(row) for row in self._all(sql, (as_number(course_id),))]

    def activity(self, *, cmid: str = "", link: str = "") -> Activity | None:
        """Return an activity by the number in its address or by its resource link, or None."""
        number = as_number(cmid or link)
        column = "cmid" if cmid else "id"
        rows = self._all(f"SELECT * FROM activity WHERE {column} = ?", (number,))  # noqa: S608 - our names.
        return records.activity_of(rows[0]) if rows else None

    def add_activity(self, tool_id: int, item: Mapping[str, Any], course_id: int = COURSE_ID) -> str:
        """Place a chosen content item; with a ``lineItem`` a grade column comes with it. Return its cmid.

        The column takes the item's title, not the line item's label, as Moodle does.
        """
        title = str(item.get("title") or "").strip() or "—"
        custom = {str(name): str(value) for name, value in dict(item.get("custom") or {}).items()}
        values = (course_id, tool_id, title, str(item.get("text") or ""), str(item.get("url") or ""))
        with self._store.write() as connection:
            sql = "INSERT INTO activity (course, tool, title, description, url, custom) VALUES (?, ?, ?, ?, ?, ?)"
            link = connection.execute(sql, (*values, json.dumps(custom, ensure_ascii=False))).lastrowid
            cmid = int(link or 0) + 2
            connection.execute("UPDATE activity SET cmid = ? WHERE id = ?", (cmid, link))
            column = item.get("lineItem")
            if isinstance(column, Mapping):
                maximum = str(Decimal(str(column.get("scoreMaximum", 100))))
                row = (course_id, tool_id, "link", title, maximum, *_labels(column), link)
                connection.execute(INSERT_ITEM, row)
        return str(cmid)

    def line_items(self, tool_id: int | None = None, course_id: str | None = None) -> list[LineItem]:
        """Return the columns of a tool, or of all tools, in one course or in all."""
        sql = "SELECT * FROM line_item WHERE (? IS NULL OR tool = ?) AND (? IS NULL OR course = ?) ORDER BY id"
        course = None if course_id is None else as_number(course_id) or 0
        return [records.line_item_of(row) for row in self._all(sql, (tool_id, tool_id, course, course))]

    def line_item(self, item_id: str) -> LineItem | None:
        """Return a column, or None."""
        rows = self._all("SELECT * FROM line_item WHERE id = ?", (as_number(item_id),))
        return records.line_item_of(rows[0]) if rows else None

    def add_line_item(
        self, tool_id: int, body: Mapping[str, Any], maximum: Decimal, link: str | None, course_id: str = FIRST_COURSE
    ) -> str:
        """Make a manual column; nothing stops a second one with the same resourceId and tag."""
        place = (as_number(course_id), tool_id, "manual")
        row = (*place, str(body["label"]), str(maximum), *_labels(body), as_number(link or ""))
        with self._store.write() as connection:
            return str(connection.execute(INSERT_ITEM, row).lastrowid)

    def delete_line_item(self, item_id: str) -> None:
        """Delete a column and its grades."""
        with self._store.write() as connection:
            connection.execute("DELETE FROM line_item WHERE id = ?", (int(item_id),))


INSERT_ITEM = (
    "INSERT INTO line_item (course, tool, kind, label, maximum, resource_id, tag, activity)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def _labels(body: Mapping[str, Any]) -> tuple[str, str]:
    return (str(body.get("resourceId") or ""), str(body.get("tag") or ""))


def as_number(text: str) -> int | None:
    """Return an id's number, or None when the text is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
