"""A rehearsal school with a tool and its key, seen through browsers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from joserfc.jwk import RSAKey

from connector.base.outbound import NetworkPolicy, Outbound
from lti.platform.records import RegisteredTool
from sync.twins.moodle import Lms, create_lms
from tests.twins.moodle_browser import (
    DL,
    Browser,
    form_to,
    open_id_token,
    request_of,
    response_token,
)
from tests.twins.moodle_kit import KeyServer, StillClock

BASE = "http://localhost:8081"
LAUNCH = "http://127.0.0.1:9001/launch"
ITEM: dict[str, Any] = {
    "type": "ltiResourceLink",
    "title": "Бақылау жұмысы №1",
    "text": "Квадрат теңдеулер",
    "custom": {"exam_id": 1, "sitting": "A-2026"},
    "lineItem": {"scoreMaximum": 40, "label": "another label", "resourceId": "exam-1", "tag": "exam"},
}
TEACHER, ASSISTANT, PUPIL, OTHER_PUPIL = "3", "4", "5", "6"


@dataclass
class School:
    lms: Lms
    tool: RegisteredTool
    key: RSAKey
    clock: StillClock

    def browser(self, user_id: str) -> Browser:
        return Browser(self.lms).sign_in(user_id)

    def launch(self, browser: Browser, path: str = "/mod/lti/launch.php", **query: str) -> dict[str, Any]:
        login = browser.begin(path, **(query or {"id": "3"}))
        address, answer = browser.authorise(request_of(login, LAUNCH))
        assert address == LAUNCH
        return open_id_token(self.lms, answer["id_token"])

    def return_address(self, teacher: Browser) -> str:
        claims = self.launch(teacher, "/mod/lti/contentitem.php", id="1", course="2")
        return str(claims[DL + "deep_linking_settings"]["deep_link_return_url"])

    def send_choice(self, teacher: Browser, items: Any = None, **changes: Any) -> Any:
        address = urlsplit(self.return_address(teacher))
        token = response_token(self.tool, self.key, BASE, self.clock, [ITEM] if items is None else items, **changes)
        return teacher.post(f"{address.path}?{address.query}", JWT=token)

    def add(self, items: Any = None) -> None:
        teacher = self.browser(TEACHER)
        page = self.send_choice(teacher, items)
        saved = teacher.post("/course/modedit.php", **form_to(page.text, "/course/modedit.php"))
        assert saved.status_code == 303


def open_school(store: Path, key: RSAKey, keys: KeyServer) -> School:
    clock = StillClock()
    lms = create_lms(store, BASE, clock=clock, tool_outbound=Outbound(NetworkPolicy(everything=True)))
    tool = lms.register_tool(
        "Kopir",
        login_url="http://127.0.0.1:9001/login",
        redirect_uris=[LAUNCH],
        jwks_url=keys.url,
        target_link_uri=LAUNCH,
        custom={"user_idnumber": "$Person.sourcedId", "middlename": "$Person.name.middle", "static": "сәлем"},
    )
    return School(lms, tool, key, clock)
