"""Copying a course and duplicating an activity, as Moodle's backup and restore leave them behind.

From Moodle's code (``restore_lti_activity_structure_step``, ``restore_ltiservice_gradebookservices_subplugin``,
``duplicate_module``), not measured: an activity gets a new link id and keeps address and custom parameters; its column
belongs to the new link and keeps ``resourceId`` and ``tag``; columns a tool made without a link come along with a
whole course and not with one activity; grades stay behind; the new course remembers the one it was copied from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from sqlite3 import Row

from sync.twins.moodle.registry import INSERT_ITEM, as_number
from sync.twins.moodle.store import Store

_ACTIVITY = "INSERT INTO activity (course, tool, title, description, url, custom) VALUES (?, ?, ?, ?, ?, ?)"


def copy_course(store: Store, course_id: str) -> str:
    """Copy a course with its activities and columns, without grades; return the new course's id.

    The same people are enrolled: the rehearsal has no others. The id number is left empty, as it must be unique.

    Raises:
        KeyError: No such course.
    """
    number = as_number(course_id)
    with store.write() as db:
        course = db.execute("SELECT * FROM course WHERE id = ?", (number,)).fetchone()
        if course is None:
            raise KeyError(course_id)
        new = int(db.execute("SELECT max(id) + 1 FROM course").fetchone()[0])
        copies = int(db.execute("SELECT count(*) FROM course_origin").fetchone()[0]) + 1
        names = (f"{course['fullname']} ({copies})", f"{course['shortname']}_{copies}", "")
        db.execute("INSERT INTO course VALUES (?, ?, ?, ?)", (new, *names))
        db.execute("INSERT INTO course_origin VALUES (?, ?)", (new, number))
        people = "INSERT INTO enrolment SELECT ?, person, role, suspended FROM enrolment WHERE course = ?"
        db.execute(people, (new, number))
        links = {
            row["id"]: _copy_activity(db, row, new, row["title"])
            for row in _rows(db, "SELECT * FROM activity WHERE course = ? ORDER BY id", number)
        }
        for item in _rows(db, "SELECT * FROM line_item WHERE course = ? ORDER BY id", number):
            if item["activity"] is None or item["activity"] in links:
                _copy_column(db, item, new, item["label"], links.get(item["activity"]))
    return str(new)


def duplicate_activity(store: Store, cmid: str) -> str:
    """Duplicate an activity beside itself with its own column; return the duplicate's cmid.

    Raises:
        KeyError: No such activity.
    """
    with store.write() as db:
        row = db.execute("SELECT * FROM activity WHERE cmid = ?", (as_number(cmid),)).fetchone()
        if row is None:
            raise KeyError(cmid)
        title = f"{row['title']} (copy)"
        link = _copy_activity(db, row, row["course"], title)
        for item in _rows(db, "SELECT * FROM line_item WHERE activity = ? AND kind = 'link'", row["id"]):
            _copy_column(db, item, row["course"], title, link)
        return str(db.execute("SELECT cmid FROM activity WHERE id = ?", (link,)).fetchone()["cmid"])


def delete_activity(store: Store, cmid: str) -> None:
    """Delete an activity with its own column; columns a tool made for it lose their link."""
    with store.write() as db:
        row = db.execute("SELECT id FROM activity WHERE cmid = ?", (as_number(cmid),)).fetchone()
        if row is not None:
            db.execute("DELETE FROM line_item WHERE activity = ? AND kind = 'link'", (row["id"],))
            db.execute("UPDATE line_item SET activity = NULL WHERE activity = ?", (row["id"],))
            db.execute("DELETE FROM activity WHERE id = ?", (row["id"],))


def _rows(db: sqlite3.Connection, sql: str, value: object) -> Iterable[Row]:
    return db.execute(sql, (value,)).fetchall()


def _copy_activity(db: sqlite3.Connection, row: Row, course: int, title: str) -> int:
    values = (course, row["tool"], title, row["description"], row["url"], row["custom"])
    link = int(db.execute(_ACTIVITY, values).lastrowid or 0)
    db.execute("UPDATE activity SET cmid = ? WHERE id = ?", (link + 2, link))
    return link


def _copy_column(db: sqlite3.Connection, item: Row, course: int, label: str, link: int | None) -> None:
    kept = (item["maximum"], item["resource_id"], item["tag"])
    db.execute(INSERT_ITEM, (course, item["tool"], item["kind"], label, *kept, link))
