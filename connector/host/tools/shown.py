"""What a plugin sees of third-party tools: which there are, and what they said of an activity."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from connector.db.tables.tools import tool_line_item, tool_link, tool_score
from connector.host.runtime import Runtime
from connector.host.tools.records import State, tools
from lti.platform.grades import GradingProgress
from plugins.contract import OutsideTool, ToolColumn, ToolScore


def outside_tools(runtime: Runtime, school_id: str) -> Sequence[OutsideTool]:
    """Return the tools that are on, by name."""
    found = tools(runtime, school_id, State.ON)
    return [OutsideTool(one.id, one.name, one.deep_linking_url is not None) for one in found]


def tool_columns(db: Connection, school_id: str, activity_id: str) -> Sequence[ToolColumn]:
    """Return the columns tools keep for an activity with every score, the one that goes on first."""
    # A tool need not say which activity a column of its own is for; such a one is shown at each of the course's.
    table, link = tool_line_item.c, tool_link.c
    loose = table.link.is_(None) & (table.tool == link.tool) & (table.context == link.context)
    query = (
        select(tool_line_item)
        .join(tool_link, (link.school_id == table.school_id) & ((link.id == table.link) | loose))
        .where(link.school_id == school_id, link.activity == activity_id)
        .order_by(table.goes_on.desc(), table.id)
        .distinct()
    )
    rows = db.execute(query).all()
    wanted = [row.id for row in rows]
    mine = (tool_score.c.school_id == school_id) & tool_score.c.line_item.in_(wanted)
    scores: dict[str, list[ToolScore]] = {one: [] for one in wanted}
    for row in db.execute(select(tool_score).where(mine).order_by(tool_score.c.account)):
        scores[row.line_item].append(_score(row))
    return [ToolColumn(row.label, Decimal(row.maximum), bool(row.goes_on), tuple(scores[row.id])) for row in rows]


def _score(row: Any) -> ToolScore:
    given, maximum = (None if text is None else Decimal(text) for text in (row.given, row.maximum))
    final = given is not None and row.grading_progress == GradingProgress.FULLY_GRADED
    return ToolScore(row.account, given, maximum, final, row.comment, row.at)
