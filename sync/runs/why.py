"""Why a value is not changing: what stands in the way of a cell before and after the comparison itself."""

from __future__ import annotations

from sqlalchemy import Connection, select

from connector.base.i18n import N_, Message, say
from sync.reconcile.guard import HOLD_CODES, explain_hold
from sync.reconcile.match import MATCH_REASONS, explain_match
from sync.reconcile.types import CellKey, CellKind
from sync.runs import people as joining
from sync.runs.compare import Comparison
from sync.runs.places import kind_of
from sync.store import cells, connections, identity, people, plans
from sync.store.connections import GroupLink, SyncConnection
from sync.store.people import id_type
from sync.store.tables.plans import plan_change

_APART: dict[str, str] = {
    "not_carried": N_("The mapping carries no values of this kind."),
    "no_such_person": N_("The school's record has no such person."),
    "person_erased": N_("The person's data was erased and is not brought back."),
    "person_blocked": N_("The pupil's data may not be processed, so nothing is carried."),
    "second_account": N_("This is a second account of another pupil, so none of its values are carried."),
    "not_linked": N_("The pupil is not linked to anybody in the journal; link them under People."),
    "not_in_lms": N_("The pupil has no account in the LMS any more."),
    "left_lms_class": N_("The pupil is not in the LMS's course any more; what was agreed waits for a return."),
    "left_journal_class": N_("The pupil is not in the journal's class any more; what was agreed waits for a return."),
    "no_such_work": N_("The work was never seen in this class."),
    "work_gone": N_("The work is no longer in the LMS."),
    "not_mapped": N_("The mapping has no line for works of this kind, or ignores them."),
    "no_such_lesson": N_("The journal has no such lesson any more."),
    "not_settled": N_("The work has no place on the other side yet."),
}
APART = frozenset(_APART)


def explain_apart(code: str) -> Message:
    """Return why a cell is not compared at all, in words."""
    return say(_APART[code]) if code in _APART else explain_match(code)


def apart(db: Connection, connection: SyncConnection, comparison: Comparison, cell: CellKey) -> str:
    """Return why a cell is not compared at all, as a code; an empty text for one that is."""
    group = comparison.groups[cell.group]
    if cell.kind not in comparison.kinds:
        return "not_carried"
    if cell.person not in group.pairs:
        return _person(db, connection, group.link, cell.person)
    if cell.item in (group.columns if cell.kind is CellKind.GRADE else group.lessons):
        return ""
    return _work(db, connection, group.link, cell.item) if cell.kind is CellKind.GRADE else "no_such_lesson"


def _person(db: Connection, connection: SyncConnection, link: GroupLink, whom: str) -> str:
    school = connection.school
    known = people.people(db, school, [whom]).get(whom)
    if known is None or known.erased or known.blocked:
        return "no_such_person" if known is None else "person_erased" if known.erased else "person_blocked"
    if whom in identity.merges(db, school):
        return "second_account"
    doubt = identity.doubts(db, school, connection.id).get(whom)
    if doubt is not None:
        return doubt.reason
    ids = people.identifiers(db, school, [whom]).get(whom, {})
    left, right = ((id_type(key), key) for key in (connection.left, connection.right))
    if left not in ids or right not in ids:
        return "not_in_lms" if left not in ids else "not_linked"
    there = {one.id for one in joining.pupils(cells.people(db, school, connection.id, "left", link.id))}
    return "left_journal_class" if ids[left] in there else "left_lms_class"


def _work(db: Connection, connection: SyncConnection, link: GroupLink, item: str) -> str:
    works = {work.id: work.left_item for work in connections.item_links(db, connection.school, link.id)}
    if item not in works:
        return "no_such_work"
    lefts = {one.id: one for one in cells.items(db, connection.school, connection.id, "left", link.id)}
    if works[item] not in lefts:
        return "work_gone"
    return "not_settled" if kind_of(db, connection, lefts[works[item]]) else "not_mapped"


def stands(db: Connection, connection: SyncConnection, cell: CellKey) -> tuple[str, str]:
    """Return the state of a cell in the newest plan and why it waits there; two empty texts where it is in none."""
    plan = plans.latest(db, connection.school, connection.id)
    if plan is None:
        return "", ""
    table = plan_change.c
    where = (table.school_id == connection.school, table.plan == plan.id, table.key == cell.text)
    row = db.execute(select(table.state, table.held_by).where(*where)).first()
    return ("", "") if row is None else (row.state, row.held_by)


def explain_wait(code: str) -> Message | None:
    """Return why a change waits, in words; None for no reason."""
    if not code:
        return None
    return explain_hold(code) if code in HOLD_CODES or code not in MATCH_REASONS else explain_match(code)
