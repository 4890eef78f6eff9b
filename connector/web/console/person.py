"""One pupil: who they are in both systems, who said so, and what a person can say: fix, take apart, merge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.web.console import words
from connector.web.console.common import connection_or_404, page, sync, to, who
from connector.web.console.session import blueprint, id_or_404
from sync.model import Person
from sync.reconcile.match import explain_match
from sync.runs import history_words, identity
from sync.runs import people as joining
from sync.runs.handlers import request_plan
from sync.store import cells, connections
from sync.store import people as record
from sync.store.connections import SyncConnection

MAX_NOTE = 300
"""Letters of a reason that are kept."""


@blueprint.get("/connections/<connection_id>/people/<person_id>")
def person_page(connection_id: str, person_id: str) -> Response:
    """Show who a pupil is and was."""
    connection, person = connection_or_404(connection_id), id_or_404(person_id)
    with sync().reading(connection.school) as db:
        found = identity.history(db, connection, person)
        others = {event.other or "" for event in found.events} | {event.person for event in found.events}
        rights = _rights(db, connection)
        values: dict[str, Any] = {
            "found": found,
            "person": person,
            "right_name": rights.get(found.right),
            "names": record.people(db, connection.school, [*others, *found.second_accounts, found.merged_into]),
            "partners": _partners(db, connection, person),
            "free": _free(db, connection, rights),
        }
    values |= {"words": words, "told": history_words, "explain_match": explain_match}
    return page("console/person.html", connection=connection, **values)


def _rights(db: Connection, connection: SyncConnection) -> Mapping[str, Person]:
    links = connections.groups(db, connection.school, connection.id)
    return {
        one.id: one
        for link in links
        for one in joining.pupils(cells.people(db, connection.school, connection.id, "right", link.id))
    }


def _free(db: Connection, connection: SyncConnection, rights: Mapping[str, Person]) -> list[Person]:
    """Return the journal's pupils nobody is linked to, by name."""
    kind = record.id_type(connection.right)
    taken = record.by_identifier(db, connection.school, kind, connection.right)
    return sorted((one for key, one in rights.items() if key not in taken), key=lambda one: one.full_name.casefold())


def _partners(db: Connection, connection: SyncConnection, person: str) -> list[record.PersonRow]:
    """Return who this pupil's account could be merged with: the pupils of the LMS, by name."""
    kind = record.id_type(connection.left)
    owners = set(record.by_identifier(db, connection.school, kind, connection.left).values()) - {person}
    known = record.people(db, connection.school, owners)
    return sorted((one for one in known.values() if one.name), key=lambda one: one.name.casefold())


@blueprint.post("/connections/<connection_id>/people/<person_id>/say")
def say_who(connection_id: str, person_id: str) -> Response:
    """Take a person's word: ``pin``, ``unpin``, ``split``, ``merge`` or ``link``."""
    connection, person = connection_or_404(connection_id), id_or_404(person_id)
    place = (sync(), connection.school, connection.id, person)
    word, note = request.form.get("word", ""), request.form.get("note", "").strip()[:MAX_NOTE]
    if word == "pin":
        identity.pin(*place, who=who(), note=note)
    elif word == "unpin":
        identity.unpin(*place, who=who(), note=note)
    elif word == "split":
        identity.split(*place, who=who(), note=note)
    elif word == "link" and request.form.get("right"):
        identity.pin(*place, who=who(), note=note, right=request.form["right"][:255])
    elif word == "merge" and request.form.get("second"):
        identity.merge(*place, id_or_404(request.form["second"]), who=who(), note=note)
    else:
        raise Fatal("nothing_chosen", say(N_("Nothing was chosen, so nothing was done.")))
    request_plan(sync(), connection.school, connection.id, trigger="join")
    return to(f"connections/{connection.id}/people/{person}", "said")
