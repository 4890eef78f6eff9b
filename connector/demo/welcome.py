"""What a person needs to walk through a rehearsal: addresses, who to be, and what to try, in their language."""

from __future__ import annotations

from connector.base.i18n import N_, say, translate
from connector.demo.bridge import build_bridge, identity_file
from connector.demo.world import World
from connector.host.operators import invite


def prepare(world: World) -> None:
    """Join the two systems and put the school's list of people where a person can upload it from."""
    build_bridge(world)
    (world.folder / "people.csv").write_bytes(identity_file(world))


def welcome(world: World, language: str) -> str:
    """Return the page that is printed when the rehearsal stands."""
    console = invite(world.runtime, world.school_id, "rehearsal")
    steps = (
        say(N_("1. The LMS: be the teacher, add an activity from Kopir, choose a test (a sample: {sample}) or a lab."),
            sample="plugins/online_test/samples/algebra-7.gift"),
        say(N_("2. Another person: be a pupil, open it, answer or measure, submit; then open the portfolio.")),
        say(N_("3. The teacher's gradebook shows the scores seconds later.")),
        say(N_("4. The console: compare now, upload {people}, accept the names, look at the plan, approve it."),
            people=world.folder / "people.csv"),
        say(N_("5. The journal shows the marks. Switch it to read-only and the plan becomes an entry sheet.")),
    )  # fmt: skip
    sites = (
        (say(N_("The LMS")), world.lms_url),
        (say(N_("The journal")), world.journal_url),
        (say(N_("Kopir's console (opens once, within 15 minutes)")), console),
    )
    lines = [
        translate(say(N_("The rehearsal stands. Everybody in it is invented; nobody needs a password.")), language),
        "",
        *(f"  {translate(name, language)}: {url}" for name, url in sites),
        "",
        *(translate(step, language) for step in steps),
        "",
        translate(
            say(N_("Files: {folder}. Ctrl+C stops it; started again it goes on."), folder=world.folder), language
        ),
    ]
    return "\n".join(lines)
