"""The two systems joined: the mapping, the connection, and the people of the class, as an operator would do it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.demo.world import World
from connector.host.syncing import sync_runtime
from sync.runs.identity_file import join_by_file
from sync.runs.people import accept, propose
from sync.runs.planning import plan_connection
from sync.runs.runtime import SyncRuntime
from sync.store import connections
from sync.store.plans import StoredPlan
from sync.twins.sample_school import pupils

OPERATOR = "rehearsal"
# The namesakes are among them: only a number tells them apart, and a name must not.
IN_FILE = 24

MAPPING = """\
# The rehearsal's own mapping; see docs/integrators/mapping-files.md for every key.
version: 1
pair: {{left: "lti_advantage:rehearsal", right: "kundelik:{school}"}}
identity: {{join: [linked_id, idnumber], propose: [name+class], create: never}}
groups:
  - left: {{course: "7А-ALG-2026"}}
    right: {{edu_group: "{group}", subject: "{subject}"}}
grades:
  owner: left
  kinds: {{"*[tag=sor]": sor, "*[tag=soch]": soch, online_test: fo, virtual_lab: fo}}
  scale:
    fo: {{from: percent, to: mark10, round: half_up, min: 1}}
    sor: points
    soch: points
  closed_period: refuse
items: {{find: [linked, tag, title+date], place: next_lesson, create_work: auto}}
attendance:
  owner: right
  blank_is: not_recorded
  codes: {{present: Attend, absent_unexcused: Absent, absent_excused: Pass, absent_ill: Ill, late: Late}}
approve: {{first: person, create: auto, update: auto, delete: ask, over_guard: ask}}
guard: {{max_delete: 0, max_change_pct: 100, floor: 25}}
tests:
  - {{grade: {{percent: "87.5"}}, becomes: {{mark10: "9"}}}}
  - {{attendance: {{right: Ill}}, becomes: {{left: absent_ill}}}}
"""


@dataclass(frozen=True)
class Bridge:
    """One connection of the rehearsal."""

    world: World
    sync: SyncRuntime
    connection: str

    def plan(self) -> StoredPlan:
        """Read both sides and plan."""
        return plan_connection(self.sync, self.world.school_id, self.connection, actor=OPERATOR)


def mapping_text(world: World) -> str:
    """Return the rehearsal's mapping with the journal's ids in it."""
    journal = world.journal
    return MAPPING.format(school=journal.school_id, group=journal.group_id, subject=journal.subject_id)


def build_bridge(world: World) -> Bridge:
    """Make the connection, or find the one from an earlier rehearsal, and keep its mapping beside the other files."""
    text, journal = mapping_text(world), world.journal
    (world.folder / "mapping.yaml").write_text(text, "utf-8")
    settings = {"right": {"base_url": journal.api_url, "contracted": True, "calls_per_second": 500}}
    with world.runtime.database.school(world.school_id) as db:
        known = connections.every(db, world.school_id)
        made = (
            known[0].id
            if known
            else connections.add(
                db,
                world.school_id,
                text,
                world.runtime.clock(),
                settings=settings,
                credentials={"right": {"token": journal.token}},
                vault=world.runtime.vault,
            )
        )
    return Bridge(world, sync_runtime(world.runtime), made)


def identity_file(world: World, count: int = IN_FILE) -> bytes:
    """Return the school's list of numbers: the LMS's idnumber beside the journal's person id.

    The namesakes stand in it whatever the count, so that everybody else can be told by name.
    """
    ids = world.journal.person_ids()
    names = [(one.family, one.given) for one in pupils()]
    doubled = {one.number for one in pupils() if names.count((one.family, one.given)) > 1}
    others = [one.number for one in pupils() if one.number not in doubled]
    chosen = doubled | set(others[: count - len(doubled)])
    table = io.StringIO()
    writer = csv.writer(table, delimiter=";")
    writer.writerow(["idnumber", "kundelik id"])
    writer.writerows([one.idnumber, ids[one.number]] for one in pupils() if one.number in chosen)
    return table.getvalue().encode("utf-8-sig")


def join_people(bridge: Bridge) -> tuple[int, int]:
    """Join by the file, then accept what names propose; return how many each way.

    Raises:
        Fatal: The file was refused.
    """
    school = bridge.world.school_id
    content = identity_file(bridge.world)
    joined = join_by_file(bridge.sync, school, bridge.connection, content, name="people.csv", who=OPERATOR, apply=True)
    if not joined.applied:
        raise Fatal("identity_file", say(N_("The rehearsal's list of people was refused.")))
    propose(bridge.sync, school, bridge.connection)
    accepted = accept(bridge.sync, school, bridge.connection, None, who=OPERATOR)
    return len(joined.lines), len(accepted.joined)
