"""The pages of a third-party tool's activity: choosing it, opening it, and what it said of the class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from plugins.contract import (
    N_,
    TEACHERS,
    Activity,
    Health,
    JobHandler,
    Manifest,
    NotFound,
    OpenTool,
    OutsideTool,
    Page,
    Placed,
    Placement,
    Request,
    Response,
    Role,
    Route,
    ToolChoice,
    ToolColumn,
    Visit,
)

TAGS = ("fo", "sor")
USUAL_MAXIMUM = Decimal(100)
LARGEST = Decimal(1000)


class ExternalTool:
    """The plugin object; implements ``plugins.contract.Plugin``."""

    manifest = Manifest(
        id="external_tool",
        name=N_("Tool of another vendor"),
        summary=N_("A lab or trainer your school let in: pupils open it in the course, and its marks come back."),
        version="1",
        package=Path(__file__).parent,
    )

    def routes(self) -> Sequence[Route]:
        """Return the pages."""
        return (
            Route("", first_page),
            Route("open", open_tool),
            Route("pick", pick, ("GET", "POST"), TEACHERS, in_picker=True),
            Route("pick/choose/<tool>", choose, ("GET",), TEACHERS, in_picker=True),
            Route("pick/chosen", place_chosen, ("POST",), TEACHERS, in_picker=True),
        )

    def jobs(self) -> Mapping[str, JobHandler]:
        """Return no jobs: marks come when the tool sends them."""
        return {}

    def export_person(self, db: Connection, school_id: str, account_id: str) -> Mapping[str, Any]:
        """Return nothing: the plugin keeps nothing of its own; the host exports what tools said."""
        return {}

    def erase_person(self, db: Connection, school_id: str, account_id: str) -> int:
        """Erase nothing, for the same reason."""
        return 0

    def health(self, db: Connection, school_id: str) -> Health:
        """Tell that the plugin works; a tool that is off says so where it is opened."""
        return Health(ok=True)


def _tool(visit: Visit, tool_id: str) -> OutsideTool | None:
    return next((one for one in visit.tools() if one.id == tool_id), None)


def pick(visit: Visit, request: Request) -> Response:
    """List the school's tools; a form places one as it is, a link opens the tool's own choosing."""
    tools = visit.tools()
    title, tag, tool = request.value("title").strip(), request.value("tag", "fo"), request.value("tool")
    maximum = _maximum(request.value("maximum", str(USUAL_MAXIMUM)))
    marked = request.value("marked", "yes") == "yes"
    wrong = {
        "title": not title,
        "maximum": marked and maximum is None,
        "tool": _tool(visit, tool) is None,
    }
    if request.method == "POST" and not any(wrong.values()) and tag in TAGS:
        choice = ToolChoice(title[:200], score_maximum=maximum if marked else None)
        return Placed((_placement(tool, choice, tag),))
    values = {"tools": tools, "wrong": wrong if request.method == "POST" else {}, "title": title, "tag": tag,
              "tool": tool, "marked": marked, "maximum": request.value("maximum", str(USUAL_MAXIMUM))}  # fmt: skip
    return Page("external_tool/pick.html", values)


def choose(visit: Visit, request: Request) -> Response:
    """Open the tool's own choosing."""
    tool = _tool(visit, request.args["tool"])
    if tool is None or not tool.offers_choice:
        return NotFound()
    return OpenTool(tool.id, back=f"pick/chosen?tool={tool.id}")


def place_chosen(visit: Visit, request: Request) -> Response:
    """Place what was chosen inside the tool."""
    tool = _tool(visit, request.value("tool"))
    choices = visit.chosen(request.value("chosen"))
    if tool is None or not choices:
        return Page("external_tool/pick.html", {**_empty(visit), "wrong": {"chosen": True}}, 400)
    return Placed(tuple(_placement(tool.id, choice, "fo") for choice in choices))


def _empty(visit: Visit) -> dict[str, Any]:
    return {"tools": visit.tools(), "title": "", "tag": "fo", "tool": "", "marked": True,
            "maximum": str(USUAL_MAXIMUM)}  # fmt: skip


def _maximum(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 < number <= LARGEST else None


def _placement(tool_id: str, choice: ToolChoice, tag: str) -> Placement:
    settings = {
        "tool": tool_id, "url": choice.url, "custom": dict(choice.custom), "resource_id": choice.resource_id,
        "tool_tag": choice.tag,
    }  # fmt: skip
    return Placement(choice.title, settings, choice.score_maximum, tag)


def _opened(activity: Activity) -> OpenTool:
    kept = activity.settings
    choice = ToolChoice(
        title=activity.title,
        url=str(kept.get("url", "")),
        custom=dict(kept.get("custom", {})),
        score_maximum=activity.score_maximum,
        resource_id=str(kept.get("resource_id", "")),
        tag=str(kept.get("tool_tag", "")),
    )
    return OpenTool(str(kept["tool"]), choice)


def first_page(visit: Visit, request: Request) -> Response:
    """Open the tool for a pupil; show a teacher the class first."""
    if visit.activity is None:
        return NotFound()
    return _class(visit, visit.activity) if visit.viewer.role is Role.TEACHER else _opened(visit.activity)


def open_tool(visit: Visit, request: Request) -> Response:
    """Open the tool for whoever asks, a teacher too."""
    return NotFound() if visit.activity is None else _opened(visit.activity)


@dataclass(frozen=True)
class Line:
    """One pupil in one column, for the teacher."""

    name: str
    given: str
    final: bool
    comment: str
    delivery: str
    above: str


def _class(visit: Visit, activity: Activity) -> Response:
    with visit.read() as db:
        columns = visit.tool_columns(db, activity.id)
        results = {one.account_id: one for one in visit.results_in(db, activity.id)}
    names = {one.account_id: one.name for one in visit.members()}
    shown = [(column, _lines(column, names, results)) for column in columns]
    tool = _tool(visit, str(activity.settings["tool"]))
    return Page("external_tool/class.html", {"columns": shown, "tool": tool, "review_of": visit.review_of})


def _lines(column: ToolColumn, names: Mapping[str, str], results: Mapping[str, Any]) -> list[Line]:
    lines = []
    for score in column.scores:
        seen = results.get(score.account_id) if column.goes_on else None
        given = "" if score.score_given is None else f"{_plain(score.score_given)} / {_plain(score.score_maximum)}"
        above = str(seen.evidence.get("above_maximum", "")) if seen else ""
        name = names.get(score.account_id, "") or f"№ {score.account_id[-6:]}"
        lines.append(Line(name, given, score.final, score.comment, seen.delivery if seen else "", above))
    return sorted(lines, key=lambda line: line.name)


def _plain(number: Decimal | None) -> str:
    return "" if number is None else f"{number.normalize():f}"
