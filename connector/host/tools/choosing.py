"""What a teacher chose inside a third-party tool: the answer checked, and carried back to the plugin's picker."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.base.secrets import fingerprint
from connector.host.registry import origin_of
from connector.host.runtime import Runtime
from connector.host.tools.launching import SITTING, cookie_of
from connector.host.tools.platform import platform_of
from connector.host.tools.records import SchoolTool, ToolTable
from connector.host.tools.telling import CHOICE
from lti.platform.errors import ResponseRefused
from lti.platform.keys import read_unverified_claims
from lti.vocab import Claim
from plugins.contract import ToolChoice

CHOSEN = "tool-chosen"
MOST = 20


@dataclass(frozen=True)
class Answered:
    """A checked answer: which launch it belongs to, where its picker is, and the choice, signed for the way back."""

    school_id: str
    launch_id: str
    back: str
    chosen: str
    count: int
    message: str
    cookie: str


def take_answer(runtime: Runtime, token: str, cookie_value: Callable[[str], str]) -> Answered:
    """Check the form a tool posted to ``/platform/choice``.

    Args:
        runtime: The process.
        token: The form's ``JWT``.
        cookie_value: Returns a cookie's value by its name, or an empty text.

    Raises:
        ResponseRefused: Anything about the answer is wrong.
        Fatal: Another browser sent it, or nobody asked for it.
    """
    claims = read_unverified_claims(token) or {}
    data = claims.get(Claim.DL_DATA)
    tool = ToolTable(runtime.database).find_tool(str(claims.get("iss", "")))
    asked = runtime.signer(CHOICE).read(data) if isinstance(data, str) and _is_signed(data) else None
    if tool is None or asked is None or tool.school_id != asked["school"]:
        text = N_("Nobody asked this tool for a choice, or it took too long. Begin again from your course.")
        raise Fatal("choice_not_asked", say(text))
    sent = cookie_value(cookie_of(asked["handle"]))
    if not hmac.compare_digest(fingerprint(sent), asked["browser"]):
        text = N_("The choice came from another browser than the one that began. Begin again from your course.")
        raise Fatal("other_browser", say(text))
    multiple = bool(asked["multiple"])
    answer = platform_of(runtime).chosen(tool, token, data=data, multiple=multiple)
    choices = [_choice(tool, item) for item in answer.items[:MOST]]
    value = {"l": asked["launch"], "t": tool.id, "c": choices}
    signed = runtime.signer(CHOSEN).sign(value, SITTING.total_seconds())
    message = answer.error_message or answer.message
    return Answered(
        asked["school"], asked["launch"], asked["back"], signed, len(choices), message, cookie_of(asked["handle"])
    )


def read_chosen(runtime: Runtime, launch_id: str, text: str) -> Sequence[ToolChoice]:
    """Return a choice that came back through the browser; nothing when it is forged, old or another launch's."""
    value = runtime.signer(CHOSEN).read(text) if _is_signed(text) else None
    if value is None or value["l"] != launch_id:
        return ()
    return tuple(
        ToolChoice(
            title=one["title"],
            url=one["url"],
            custom=one["custom"],
            score_maximum=None if one["maximum"] is None else Decimal(one["maximum"]),
            resource_id=one["resource_id"],
            tag=one["tag"],
        )
        for one in value["c"]
    )


def _is_signed(text: str) -> bool:
    return text.isascii() and text.count(".") == 1


def _choice(tool: SchoolTool, item: Mapping[str, Any]) -> dict[str, Any]:
    url = item.get("url") or ""
    if not isinstance(url, str) or (url and not _is_tools_own(tool, url)):
        text = N_("The tool wants an address launched that is not its own.")
        raise ResponseRefused("invalid_request", "foreign_url", say(text))
    line = item.get("lineItem")
    line = line if isinstance(line, dict) else {}
    custom = item.get("custom")
    custom = custom if isinstance(custom, dict) else {}
    return {
        "title": _text(item, "title") or _text(line, "label") or tool.name,
        "url": url,
        "custom": {
            str(name)[:255]: value[:1000] for name, value in list(custom.items())[:50] if isinstance(value, str)
        },
        "maximum": _maximum(line),
        "resource_id": _text(line, "resourceId"),
        "tag": _text(line, "tag"),
    }


def _is_tools_own(tool: SchoolTool, url: str) -> bool:
    return url.startswith(("https://", "http://")) and len(url) <= 2000 and origin_of(url) in tool.origins


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found.replace("\x00", "").strip()[:200] if isinstance(found, str) else ""


def _maximum(line: Mapping[str, Any]) -> str | None:
    found = line.get("scoreMaximum")
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        number = Decimal(str(found))
    except InvalidOperation:
        return None
    return str(number) if number.is_finite() and 0 < number <= 1_000_000 else None
