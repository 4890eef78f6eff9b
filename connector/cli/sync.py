"""``kopir sync``: plan, apply, undo, and look into what stands between two systems."""

from __future__ import annotations

import json
import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click

from connector.base.errors import Fatal
from connector.base.i18n import N_, Message, say, translate
from connector.cli.context import opened_runtime, the_school
from connector.cli.output import explained, json_option, show, show_table, terminal_language
from connector.cli.progress import watched
from connector.host.syncing import sync_runtime
from sync.reconcile.apply import ApplyReport
from sync.reconcile.undo import undo_run
from sync.runs import entries, hold_files, resolving, view
from sync.runs.approving import approve
from sync.runs.handlers import apply_here
from sync.runs.planning import plan_connection
from sync.runs.runtime import SyncRuntime
from sync.store import conflicts as conflict_store
from sync.store import connections, plans
from sync.store.plans import StoredPlan

PIPE_WAIT = 2.0
"""Seconds in which a pipe on standard input must speak."""
PENDING = 2
"""Exit status when changes wait, so that a script can tell "nothing to do" from "something to look at"."""

school_option = click.option("--school", "code", help="The school's code; needed when there are several.")
connection_option = click.option("--connection", "wanted", help="The connection; needed when there are several.")
who_option = click.option("--as", "who", default="cli", show_default=True, help="Who acts; stands in the audit.")


@dataclass(frozen=True)
class Chosen:
    """The school and connection a command speaks of."""

    runtime: SyncRuntime
    school: str
    connection: str


@contextmanager
def chosen(code: str | None, wanted: str | None) -> Iterator[Chosen]:
    """Open the runtime and find the connection meant.

    Raises:
        Fatal: There is none, or the choice is not clear.
    """
    with opened_runtime() as host:
        school = the_school(host, code).id
        runtime = sync_runtime(host)
        with runtime.reading(school) as db:
            found = [one.id for one in connections.every(db, school)]
        if wanted is None and len(found) != 1:
            text = N_("Name the connection with --connection. Known: {known}. `kopir sync add` makes one.")
            raise Fatal("which_connection", say(text, known=", ".join(found) or "-"))
        if wanted is not None and wanted not in found:
            raise Fatal("no_such_connection", say(N_("This school has no such connection.")))
        yield Chosen(runtime, school, wanted or found[0])


@contextmanager
def school_only(code: str | None) -> Iterator[tuple[SyncRuntime, str]]:
    """Open the runtime for a command that names its plan or run itself."""
    with opened_runtime() as host:
        yield sync_runtime(host), the_school(host, code).id


def words(message: Message) -> str:
    """Put a message into the terminal's language."""
    return translate(message, terminal_language())


@click.group()
def sync() -> None:
    """Keep an LMS and an e-journal in step: plan, look, approve, apply, undo."""


@sync.command("add")
@click.argument("mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@school_option
@click.option("--set", "settings", multiple=True, metavar="SIDE.NAME=VALUE", help="Setting of a side; repeatable.")
@click.option(
    "--read-only/--writable", default=None, help="Never write the journal (marks come out as an entry sheet), or do."
)
@click.option("--account", type=click.File("r", encoding="utf-8"), help="File with the credentials; - waits for them.")
@json_option
@explained
def add_(
    mapping: Path,
    code: str | None,
    settings: tuple[str, ...],
    read_only: bool | None,
    account: TextIO | None,
    as_json: bool,
) -> None:
    """Make a connection from a MAPPING file, or put a changed file in force.

    Credentials are JSON: {"right": {"token": "…"}} or {"right": {"client_id": …, "client_secret": …, "username": …,
    "password": …}}. They come from --account, from KOPIR_SYNC_CREDENTIALS, or from standard input when it is a file or
    a pipe that speaks within two seconds. They are stored sealed and never shown.

    For a connection that is there already, what is not given again stays as it is; an empty setting takes it away.
    """
    credentials = _credentials(account)
    with school_only(code) as (runtime, school), runtime.writing(school) as db:
        text = mapping.read_text("utf-8-sig")
        made = connections.add(
            db,
            school,
            text,
            runtime.clock(),
            settings=_settings(settings),
            credentials=credentials,
            vault=runtime.vault,
            read_only=read_only,
        )
    show({"connection": made}, as_json=as_json, text=made)


def _settings(given: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in given:
        place, _, value = one.partition("=")
        side, _, name = place.partition(".")
        if side not in ("left", "right") or not name:
            raise Fatal("bad_setting", say(N_("Write a setting as left.name=value or right.name=value.")))
        found.setdefault(side, {})[name] = {"true": True, "false": False}.get(value.lower(), value)
    return found


def _credentials(account: TextIO | None) -> dict[str, Any]:
    text = account.read() if account is not None else os.environ.get("KOPIR_SYNC_CREDENTIALS", "") or _piped()
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Fatal("bad_credentials", say(N_("The credentials are not JSON."))) from error
    if not isinstance(found, dict) or not all(isinstance(value, dict) for value in found.values()):
        raise Fatal("bad_credentials", say(N_("The credentials are not JSON.")))
    return found


def _piped() -> str:
    """Return what stands on standard input; a terminal, or a pipe in which nobody speaks, is not waited for."""
    if sys.stdin is None:
        return ""
    try:
        number = sys.stdin.fileno()
    except (OSError, ValueError):
        # Not a stream of the system, so it cannot keep us waiting.
        return sys.stdin.read()
    mode = os.fstat(number).st_mode
    if stat.S_ISREG(mode):
        return sys.stdin.read()
    parts: list[bytes] = []
    while (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) and select.select([number], [], [], PIPE_WAIT)[0]:
        part = os.read(number, 1 << 16)
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode("utf-8", "replace")


@sync.command("list")
@school_option
@json_option
@explained
def list_(code: str | None, as_json: bool) -> None:
    """List the connections."""
    with school_only(code) as (runtime, school), runtime.reading(school) as db:
        rows = [
            {"connection": one.id, "left": one.left, "right": one.right, "state": one.state, "read_only": one.read_only}
            for one in connections.every(db, school)
        ]
    show_table(rows, as_json=as_json, empty=words(say(N_("There are no connections yet."))))


@sync.command("plan")
@school_option
@connection_option
@click.option("--kept", is_flag=True, help="Plan from what the last reads kept, without asking the systems.")
@json_option
@explained
def plan_(code: str | None, wanted: str | None, kept: bool, as_json: bool) -> None:
    """Read both sides and show what would be written; exit status 2 when something would."""
    with chosen(code, wanted) as one:
        with watched(one.runtime, quiet=as_json) as runtime:
            plan = plan_connection(runtime, one.school, one.connection, trigger="cli", read=not kept)
        _show_plan(one.runtime, one.school, plan, as_json=as_json)
        pending = plan.pending
    sys.exit(PENDING if pending else 0)


def _show_plan(runtime: SyncRuntime, school: str, plan: StoredPlan, *, as_json: bool) -> None:
    _, lines = view.plan_lines(runtime, school, plan.id, ("ready", "held", "conflict", "reported"))
    with runtime.reading(school) as db:
        run = plans.get_run(db, school, plan.run)
    rows = [{**vars(line), "why": words(line.why)} for line in lines]
    if as_json:
        value = {
            "plan": plan.id,
            "run": plan.run,
            "hash": plan.hash,
            "state": plan.state,
            "pending": plan.pending,
            "counts": plan.counts,
            "works": plan.works,
            "not_compared": run.not_compared,
            "changes": rows,
        }
        show(value, as_json=True)
        return
    kept = ("group", "item", "person", "side", "before", "after", "source", "state", "held_by")
    show_table([{name: row[name] for name in kept} for row in rows], as_json=False, empty="")
    for missed in run.not_compared:
        text = N_("Not compared: {group}, {side}, {kind} ({reason}).")
        place = {"group": missed["title"], "side": missed["side"], "kind": missed["kind"], "reason": missed["reason"]}
        click.echo(words(say(text, **place)))
    for work in plan.works if plan.kind == "undo" else ():
        if work.get("left") == "empty":
            text = N_("The work “{title}” is left empty in the journal; remove it there by hand if it is not wanted.")
            click.echo(words(say(text, title=work["title"])))
    if plan.pending:
        text = N_("{count} values would be written. Apply: kopir sync apply {plan} --hash {hash}")
        click.echo(words(say(text, count=plan.pending, plan=plan.id, hash=plan.hash)))
    else:
        click.echo(words(say(N_("Nothing would be written."))))


@sync.command("apply")
@click.argument("plan_id")
@school_option
@click.option("--hash", "plan_hash", help="The plan's hash, as it was shown; needed unless it is approved already.")
@click.option("--release", "releases", multiple=True, help="A hold that is lifted too, by code; repeatable.")
@who_option
@json_option
@explained
def apply_(
    plan_id: str, code: str | None, plan_hash: str | None, releases: tuple[str, ...], who: str, as_json: bool
) -> None:
    """Approve a plan and apply it: write, read back, remember; exit status 2 when something is left."""
    with school_only(code) as (runtime, school):
        with runtime.reading(school) as db:
            plan = plans.get(db, school, plan_id)
        if plan.state == "planned":
            if plan_hash is None:
                text = N_("Say which plan was looked at: --hash {hash}")
                raise Fatal("which_hash", say(text, hash=plan.hash))
            approve(runtime, school, plan_id, plan_hash, who, releases=releases)
        with watched(runtime, quiet=as_json) as seen:
            report = apply_here(seen, school, plan_id, actor=who)
    _show_report(report, as_json=as_json)
    sys.exit(0 if report.clean and not report.counts.get("held") and not report.counts.get("approved") else PENDING)


def _show_report(report: ApplyReport, *, as_json: bool) -> None:
    value = {"plan": report.plan.id, "run": report.plan.run, "counts": report.counts, "works": report.works}
    said = ("applied", "approved", "entry", "moved", "refused", "retry", "unknown", "lost", "held", "skipped")
    text = ", ".join(f"{name} {report.counts[name]}" for name in said if report.counts.get(name))
    show({**value, "clean": report.clean}, as_json=as_json, text=text or words(say(N_("Nothing was written."))))


@sync.command("undo")
@click.argument("run_id")
@school_option
@who_option
@json_option
@explained
def undo_(run_id: str, code: str | None, who: str, as_json: bool) -> None:
    """Plan to take a run back; apply that plan as any other. Exit status 2 when something would be written."""
    with school_only(code) as (runtime, school):
        plan = undo_run(runtime, school, run_id, actor=who)
        _show_plan(runtime, school, plan, as_json=as_json)
        pending = plan.pending
    sys.exit(PENDING if pending else 0)


@sync.command("status")
@school_option
@connection_option
@json_option
@explained
def status_(code: str | None, wanted: str | None, as_json: bool) -> None:
    """Show a connection at a glance: what waits, what was read last, and how complete it was."""
    with chosen(code, wanted) as one:
        found = view.status(one.runtime, one.school, one.connection)
    rows = [
        {"group": group.title, "side": read.side, "kind": read.kind, "evidence": read.evidence.value,
         "found": read.found, "reason": read.reason, "read_at": read.read_at.isoformat()}
        for group in found.groups for read in group.reads
    ]  # fmt: skip
    counts = {name: getattr(found, name) for name in
              ("joined", "proposals", "conflicts", "holds", "pending", "to_type")}  # fmt: skip
    head = {"connection": found.connection, "left": found.left, "right": found.right, "state": found.state,
            "read_only": found.read_only, "plan": found.plan, **counts}  # fmt: skip
    refused = [
        {"kind": kind, "reason": one.reason, "since": one.since.isoformat(), "tried_at": one.tried_at.isoformat()}
        for kind, one in sorted(found.refusals.items())
    ]
    if as_json:
        last = found.last_run.state if found.last_run else None
        rest = {"last_run": last, "last_good_at": found.last_good_at, "refusals": refused, "reads": rows}
        show({**head, **rest}, as_json=True)
        return
    for name, value in head.items():
        click.echo(f"{name}: {value}")
    for refusal in refused:
        text = N_("The journal takes no writes ({kind}, {reason}), seen since {since}; last tried {tried_at}.")
        click.echo(words(say(text, **refusal)))
    show_table(rows, as_json=False, empty="")


@sync.command("conflicts")
@school_option
@connection_option
@click.option("--resolve", "conflict_id", help="Settle this conflict.")
@click.option("--take", "side", type=click.Choice(["left", "right"]), help="The side whose value counts.")
@who_option
@json_option
@explained
def conflicts_(
    code: str | None, wanted: str | None, conflict_id: str | None, side: str | None, who: str, as_json: bool
) -> None:
    """List open conflicts, or settle one; exit status 2 while some are open."""
    with chosen(code, wanted) as one:
        if conflict_id is not None:
            if side not in ("left", "right"):
                raise Fatal("which_side", say(N_("Say whose value counts: --take left or --take right.")))
            taken: Any = side
            resolving.resolve(one.runtime, one.school, one.connection, conflict_id, taken, who=who)
        with one.runtime.reading(one.school) as db:
            found = conflict_store.of(db, one.school, one.connection)
    rows = [
        {"id": c.id, "key": c.key, "left": c.left_raw, "right": c.right_raw, "agreed_left": c.base_left,
         "agreed_right": c.base_right, "reason": c.reason, "since": c.opened_at.isoformat()}
        for c in found
    ]  # fmt: skip
    show_table(rows, as_json=as_json, empty=words(say(N_("No conflicts are open."))))
    sys.exit(PENDING if rows else 0)


@sync.command("holds")
@school_option
@connection_option
@click.option("--csv", "as_csv", is_flag=True, help="Print a table (CSV) for a spreadsheet.")
@click.option("--xlsx", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write a workbook there.")
@json_option
@explained
def holds_(code: str | None, wanted: str | None, as_csv: bool, xlsx: Path | None, as_json: bool) -> None:
    """List what waits for a person in the newest plan, and why; exit status 2 while something does."""
    with chosen(code, wanted) as one:
        lines = view.held_lines(one.runtime, one.school, one.connection)
    table = hold_files.hold_rows(lines, words)
    if xlsx is not None:
        xlsx.write_bytes(hold_files.as_xlsx(table))
    if as_csv:
        click.echo(hold_files.as_csv(table), nl=False)
    elif xlsx is None or as_json:
        rows = [
            {"key": line.key, "group": line.group, "item": line.item, "person": line.person, "before": line.before,
             "after": line.after, "held_by": line.held_by, "why": words(view.why_held(line.held_by))}
            for line in lines
        ]  # fmt: skip
        show_table(rows, as_json=as_json, empty=words(say(N_("Nothing waits for a person."))))
    sys.exit(PENDING if lines else 0)


@sync.command("explain")
@click.argument("key")
@school_option
@connection_option
@json_option
@explained
def explain_(key: str, code: str | None, wanted: str | None, as_json: bool) -> None:
    """Say why a cell is not changing; KEY is as plans and conflicts show it."""
    with chosen(code, wanted) as one:
        found = view.explain(one.runtime, one.school, one.connection, key)
    value = {**vars(found), "why": words(found.why), "waits": words(found.waits) if found.waits else ""}
    show(value, as_json=as_json, text="\n".join(f"{name}: {text}" for name, text in value.items()))


@sync.command("sheet")
@school_option
@connection_option
@json_option
@explained
def sheet_(code: str | None, wanted: str | None, as_json: bool) -> None:
    """Print the entry sheet: marks to type into the journal, in its own order; exit status 2 while some are open."""
    with chosen(code, wanted) as one, one.runtime.reading(one.school) as db:
        found = entries.sheet(db, connections.get(db, one.school, one.connection))
    rows = [
        {"day": work.day and work.day.isoformat(), "lesson": work.number, "group": work.group, "work": work.work,
         "no": line.position, "pupil": line.name, "mark": line.mark, "state": line.state}
        for work in found.works for line in work.lines
    ]  # fmt: skip
    show_table(rows, as_json=as_json, empty=words(say(N_("The entry sheet is empty."))))
    sys.exit(PENDING if found.open else 0)
