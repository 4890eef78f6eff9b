"""What a teacher chose so far, when several things go into the course at once; kept with the launch.

Only what the picker handed over is kept: activities are made when the whole choice goes back to the LMS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from connector.db.tables.launches import launch
from connector.db.types import canonical
from connector.host.launches import Session
from connector.host.runtime import Runtime
from connector.host.shared import share
from plugins.contract import Dates, Material, MaterialKind, Placement

MOST = 20


@dataclass(frozen=True)
class Chosen:
    """One thing to place: an activity of a plugin, or a material whose content is kept already.

    Attributes:
        plugin: The plugin.
        placement: The activity, or None.
        material: The material without its content, or None.
        url: Where the material's content is.
        expires_at: Until when.
    """

    plugin: str
    placement: Placement | None = None
    material: Material | None = None
    url: str = ""
    expires_at: datetime | None = None

    @property
    def title(self) -> str:
        """Its name in the course."""
        named = self.placement or self.material
        return named.title if named is not None else ""


def choose(runtime: Runtime, session: Session, plugin: str, placed: Sequence[Placement | Material]) -> list[Chosen]:
    """Return what a picker handed over, with the content of materials kept.

    Raises:
        ValueError: A material has no content, or too much.
    """
    found = []
    for one in placed:
        if isinstance(one, Placement):
            found.append(Chosen(plugin, placement=one))
        elif one.kind is MaterialKind.HTML:
            found.append(Chosen(plugin, material=one))
        else:
            kept = share(runtime, session, one)
            found.append(Chosen(plugin, material=one, url=kept.url, expires_at=kept.expires_at))
    return found


def basket_of(session: Session) -> list[Chosen]:
    """Return what was chosen so far."""
    return [_read(value) for value in session.details.get("basket", ())]


def put(runtime: Runtime, session: Session, chosen: Sequence[Chosen]) -> None:
    """Add to what was chosen, up to twenty things."""
    _change(runtime, session, lambda held: [*held, *(_written(one) for one in chosen)][:MOST])


def take_out(runtime: Runtime, session: Session, place: int) -> None:
    """Take one thing out again."""
    _change(runtime, session, lambda held: [one for number, one in enumerate(held) if number != place])


def _change(runtime: Runtime, session: Session, change: Any) -> None:
    mine = (launch.c.school_id == session.school_id) & (launch.c.id == session.launch_id)
    with runtime.database.school(session.school_id) as db:
        details = db.execute(select(launch.c.details).where(mine).with_for_update()).scalar_one()
        basket = change(details.get("basket", []))
        db.execute(launch.update().where(mine).values(details={**details, "basket": basket}))


def _written(one: Chosen) -> dict[str, Any]:
    value: dict[str, Any] = {"plugin": one.plugin, "url": one.url, "expires_at": _text(one.expires_at)}
    if one.placement is not None:
        it = one.placement
        moments = (it.dates.opens_at, it.dates.closes_at, it.dates.submit_from, it.dates.submit_until)
        dates = [_text(moment) for moment in moments]
        maximum = None if it.score_maximum is None else canonical(it.score_maximum)
        value["placement"] = {
            "title": it.title, "settings": dict(it.settings), "score_maximum": maximum, "tag": it.tag, "text": it.text,
            "dates": dates, "grades_released": it.grades_released, "own_window": it.own_window,
        }  # fmt: skip
    if one.material is not None:
        it2 = one.material
        value["material"] = {"kind": str(it2.kind), "title": it2.title, "html": it2.html, "text": it2.text,
                             "media_type": it2.media_type, "filename": it2.filename}  # fmt: skip
    return value


def _read(value: Mapping[str, Any]) -> Chosen:
    placement = material = None
    if "placement" in value:
        kept = dict(value["placement"])
        maximum = None if kept["score_maximum"] is None else Decimal(kept["score_maximum"])
        dates = Dates(*(_moment(one) for one in kept["dates"]))
        placement = Placement(**{**kept, "score_maximum": maximum, "dates": dates})
    if "material" in value:
        material = Material(**{**value["material"], "kind": MaterialKind(value["material"]["kind"])})
    return Chosen(value["plugin"], placement, material, value["url"], _moment(value["expires_at"]))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
