"""One LMS examined: against the rehearsal LMS, whole and in each state an administrator may have left it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.wrappers import Request, Response

from connector.app import create_app
from connector.base.clock import utc_now
from connector.base.errors import Fatal
from connector.base.i18n import translate
from connector.base.outbound import NetworkPolicy, Outbound, Reply
from connector.db.tables.registry import access_token, registration
from connector.host.doctor import Finding, Level
from connector.host.lti_doctor import Examined, clock_findings, examine_platform, find_registrations
from connector.host.lti_doctor_services import NEEDED, moodle_blocks
from connector.host.platforms import Registered, register_platform
from connector.host.registry import Platform
from connector.host.runtime import Runtime
from lti.tool.keys import new_signing_key, public_jwk
from lti.vocab import Scope
from sync.twins.moodle import Lms, create_lms
from tests.support import factories as make
from tests.support.databases import Place
from tests.support.kopir_site import open_runtime
from tests.support.serving import serving

Answer = Callable[[Request], Response | None]


@dataclass
class Gate:
    """Stands in front of the LMS: answers some requests itself, and changes answers on their way."""

    app: Any = None
    rules: dict[str, Answer] = field(default_factory=dict)

    def __call__(self, environ: Any, start: Any) -> Any:
        request = Request(environ)
        for ending, answer in self.rules.items():
            found = answer(request) if request.path.endswith(ending) else None
            if found is not None:
                return found(environ, start)
        return self.app(environ, start)


@dataclass
class Clinic:
    """Kopir and an LMS that know each other, both on real ports."""

    runtime: Runtime
    lms: Lms
    gate: Gate
    made: Registered
    base: str

    def examine(self) -> Examined:
        found = self.runtime.registry.get(self.made.registration_id)
        assert found is not None
        return examine_platform(self.runtime, found)

    def findings(self) -> dict[str, Finding]:
        return {found.code: found for found in self.examine().findings}

    def errors(self) -> dict[str, str]:
        return {code: str(found.message) for code, found in self.findings().items() if found.level is Level.ERROR}

    def know_a_course(self, **changes: Any) -> None:
        services = f"{self.base}/mod/lti/services.php"
        values = {
            "line_items_url": f"{services}/2/lineitems?type_id=1",
            "memberships_url": f"{services}/CourseSection/2/bindings/1/memberships",
            "issuer": self.lms.platform_facts().issuer, **changes,
        }  # fmt: skip
        make.make_context(self.runtime.database, self.made.school_id, **values)


@pytest.fixture
def clinic(sqlite_place: Place, tmp_path: Path) -> Iterator[Clinic]:
    with open_clinic(sqlite_place, tmp_path, NetworkPolicy(everything=True)) as opened:
        yield opened


@pytest.fixture
def blocking(sqlite_place: Place, tmp_path: Path) -> Iterator[Clinic]:
    """An LMS that asks nothing of private addresses, as Moodle is installed."""
    with open_clinic(sqlite_place, tmp_path, NetworkPolicy()) as opened:
        yield opened


@contextmanager
def open_clinic(
    place: Place, folder: Path, lms_policy: NetworkPolicy, scopes: Iterable[Scope] = tuple(Scope)
) -> Iterator[Clinic]:
    apps: list[Any] = []
    gate = Gate()
    with serving(lambda environ, start: apps[0](environ, start)) as kopir, serving(gate) as base:
        runtime = open_runtime(place, folder, utc_now, public_url=kopir, allow_private_networks="off")
        apps.append(create_app(runtime))
        lms = create_lms(folder / "lms.sqlite3", base, tool_outbound=Outbound(lms_policy))
        gate.app = lms.app
        tool = lms.register_tool(
            "Kopir", login_url=f"{kopir}/lti/login", redirect_uris=[runtime.launch_url],
            jwks_url=f"{kopir}/lti/jwks.json", target_link_uri=runtime.launch_url, scopes=scopes,
        )  # fmt: skip
        facts = lms.platform_facts()
        platform = Platform(
            issuer=facts.issuer, client_id=tool.client_id, auth_url=f"{base}/mod/lti/auth.php",
            token_url=facts.token_url, jwks_url=f"{base}/mod/lti/certs.php", deployment_id=tool.deployment_id,
            profile="moodle",
        )  # fmt: skip
        made = register_platform(runtime, platform, "lyceum-1", "Лицей")
        yield Clinic(runtime, lms, gate, made, base)
        runtime.database.close()


def test_whole_lms_is_found_well(clinic: Clinic) -> None:
    clinic.know_a_course()
    examined = clinic.examine()
    levels = {found.code: found.level for found in examined.findings}
    assert examined.well, [str(found.message) for found in examined.findings]
    assert {code for code, level in levels.items() if level is Level.OK} == {
        "our_keys", "clock", "platform_keys", "sign_in", "scopes", "line_items", "roster",
    }  # fmt: skip
    # On a loopback and a free port, what Moodle blocks by default is said although this one let it through.
    assert {code for code, level in levels.items() if level is Level.WARNING} == {"blocked_host", "blocked_port"}
    roster = next(found for found in examined.findings if found.code == "roster")
    assert roster.message.values["count"] == sum(not user.suspended for user in clinic.lms.users())


def test_examination_writes_nothing_and_names_nobody(clinic: Clinic) -> None:
    clinic.know_a_course()
    columns = len(clinic.lms.gradebook())
    said = " ".join(
        translate(found.message, code) for found in clinic.examine().findings for code in ("kk", "ru", "en")
    )
    for user in clinic.lms.users():
        assert user.family not in said
        assert user.idnumber == "" or user.idnumber not in said
    assert "eyJ" not in said
    assert len(clinic.lms.gradebook()) == columns
    with clinic.runtime.database.service(write=False) as db:
        assert db.execute(select(func.count()).select_from(access_token)).scalar_one() == 0


def test_moodle_s_page_in_place_of_a_token_names_blocked_hosts_and_ports_first(blocking: Clinic) -> None:
    found = [one for one in blocking.examine().findings if one.level is Level.ERROR]
    assert [one.code for one in found] == ["token_keys_unreachable"] * 2
    texts = [str(one.message) for one in found]
    assert "cURL blocked hosts list" in texts[0]
    assert "127.0.0.1" in texts[0]
    port = blocking.runtime.settings.public_url.rpartition(":")[2]
    assert "cURL allowed ports list" in texts[1]
    assert port in texts[1]


def test_what_moodle_blocks_is_told_by_address_alone() -> None:
    assert [code for code, _ in moodle_blocks("http://127.0.0.1:8001")] == ["blocked_host", "blocked_port"]
    assert [code for code, _ in moodle_blocks("http://127.0.0.1")] == ["blocked_host"]
    assert [code for code, _ in moodle_blocks("https://8.8.8.8:8443")] == ["blocked_port"]
    assert moodle_blocks("https://8.8.8.8") == []


@pytest.mark.parametrize("scope", list(NEEDED))
def test_each_service_that_is_not_granted_is_named_with_what_it_is_for(
    sqlite_place: Place, tmp_path: Path, scope: Scope
) -> None:
    others = [one for one in Scope if one is not scope]
    with open_clinic(sqlite_place, tmp_path, NetworkPolicy(everything=True), others) as clinic:
        clinic.know_a_course()
        wrong = clinic.errors()
        assert list(wrong) == ["scope_missing"]
        assert scope.rpartition("/")[2] in wrong["scope_missing"]
        assert NEEDED[scope] in wrong["scope_missing"]
        assert "Manage tools" in wrong["scope_missing"]
        scopes = clinic.findings()["scopes"]
        assert (scopes.level, scopes.message.values["count"]) == (Level.WARNING, 4)


def test_token_that_is_granted_less_than_it_was_asked_for_is_no_grant(clinic: Clinic) -> None:
    clinic.gate.rules["/token.php"] = lambda request: Response(
        json.dumps({"access_token": "t", "expires_in": 3600, "scope": Scope.SCORE}), content_type="text/html"
    )
    codes = [found.code for found in clinic.examine().findings if found.level is Level.ERROR]
    assert codes == ["scope_missing"] * 4


@pytest.mark.parametrize(
    ("ahead", "word"), [(300, "seconds ahead"), (-120, "seconds behind"), (31, "seconds ahead"), (0, ""), (-28, "")]
)
def test_clock_that_differs_by_more_than_half_a_minute_is_told_with_its_direction(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, ahead: int, word: str
) -> None:
    def there(_self: Any, _timestamp: float | None = None) -> str:
        return formatdate(time.time() + ahead, usegmt=True)

    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", there)
    found = clinic.findings()
    assert ("clock" in found) is (not word)
    assert word in str(found["clock_skew"].message if word else "")


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 99 Nov 2026 01:00:00 GMT", "x, y, z"])
def test_answer_without_a_date_says_nothing_of_the_clock(date: str) -> None:
    assert list(clock_findings(Reply(200, {"date": date}, b"", "https://lms.kz"))) == []


def weak() -> dict[str, str]:
    key = public_jwk(new_signing_key())
    return {**key, "n": key["n"][:172]}


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (Response("gone", 404), "answers 404"),
        (Response("<html>", 200, content_type="text/html"), "answers 200 without any key"),
        (Response('{"keys": []}', 200), "without any key"),
        (Response("", 302, headers={"Location": "https://other.kz/"}), "sends elsewhere"),
        (Response(json.dumps({"keys": [weak()]}), 200), "2048"),
    ],
)
def test_keys_of_the_lms_that_cannot_be_used_are_told_apart(clinic: Clinic, answer: Response, word: str) -> None:
    clinic.gate.rules["/certs.php"] = lambda request: answer
    assert word in clinic.errors()["platform_keys"]


def test_wrong_sign_in_address_is_told(clinic: Clinic) -> None:
    clinic.gate.rules["/auth.php"] = lambda request: Response("", 404)
    assert "answers 404" in clinic.errors()["sign_in"]


def test_installation_whose_public_url_leads_elsewhere_is_told(clinic: Clinic, tmp_path: Path) -> None:
    stranger = json.dumps({"keys": [public_jwk(new_signing_key())]})
    for app, code in (
        (Response("no", 404), "our_keys"),
        (Response("<html>", 200), "our_keys"),
        (Response(stranger, 200), "our_key_missing"),
    ):
        with serving(app) as elsewhere:
            settings = clinic.runtime.settings.model_copy(update={"public_url": elsewhere})
            clinic.runtime.settings = settings
            assert code in clinic.errors()


def test_course_is_asked_for_before_services_can_be_tried(clinic: Clinic) -> None:
    examined = clinic.examine()
    assert examined.well
    assert {found.code: found.level for found in examined.findings}["no_course"] is Level.WARNING


def test_launch_that_brought_no_services_is_told(clinic: Clinic) -> None:
    clinic.know_a_course(line_items_url=None, memberships_url=None)
    assert set(clinic.errors()) == {"line_items", "roster"}


def test_service_that_answers_with_a_page_is_told(clinic: Clinic) -> None:
    clinic.know_a_course()
    maintenance = Response("<html>503", 503, content_type="text/html")
    clinic.gate.rules["/memberships"] = lambda request: maintenance
    clinic.gate.rules["/lineitems"] = lambda request: maintenance
    wrong = clinic.errors()
    assert set(wrong) == {"line_items", "roster"}
    assert "503" in wrong["roster"]


def test_lms_that_is_down_is_told_once_per_part(clinic: Clinic) -> None:
    for ending in ("/token.php", "/certs.php"):
        clinic.gate.rules[ending] = lambda request: Response("", 500)
    assert set(clinic.errors()) == {"platform_keys", "token"}


def test_lms_is_named_by_issuer_client_or_id(clinic: Clinic) -> None:
    one = clinic.runtime.registry.get(clinic.made.registration_id)
    assert one is not None
    for name in (one.issuer, f"{one.issuer}/", one.client_id, one.id):
        assert [found.id for found in find_registrations(clinic.runtime, name)] == [one.id]
    with pytest.raises(Fatal) as caught:
        find_registrations(clinic.runtime, "https://other.kz")
    assert caught.value.reason == "no_registration"


def test_every_finding_speaks_three_languages(blocking: Clinic) -> None:
    for found in blocking.examine().findings:
        texts = {code: translate(found.message, code) for code in ("kk", "ru", "en")}
        assert len(set(texts.values())) == 3, texts


def test_lms_of_another_kind_is_not_told_moodle_s_settings(blocking: Clinic) -> None:
    with blocking.runtime.database.service() as db:
        db.execute(registration.update().values(profile="generic"))
    blocking.runtime.registry.forget()
    codes = {found.code for found in blocking.examine().findings}
    assert "token_keys_unreachable" in codes
    assert not codes & {"blocked_host", "blocked_port"}
