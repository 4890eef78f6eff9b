"""What a teacher and the pupils do in a rehearsal, page by page, as their browsers would."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.demo.answers import QUESTIONS, Asked, answer_of
from connector.demo.person import Form, Person, Sheet
from connector.host.runtime import ROOT

SAMPLE = ROOT / "plugins" / "online_test" / "samples" / "algebra-7.gift"
TEST_TITLE = "Теңдеулер: 10 минуттық тест"
_FIELDSET = re.compile(r'<fieldset class="ot-question.*?</fieldset>', re.DOTALL)


@dataclass(frozen=True)
class SignedIn:
    """A person signed in to the LMS."""

    person: Person
    course: Sheet


def sign_in(lms_url: str, user: str) -> SignedIn:
    """Choose who one is on the LMS's front page (a rehearsal has no passwords)."""
    person = Person()
    front = person.open(f"{lms_url}/")
    for form in front.forms:
        if form.fields.get("user") == user or ("user", user) in form.buttons:
            return SignedIn(person, person.submit(form, {"user": user}))
    raise Fatal("no_such_user", say(N_("The rehearsal LMS has no user {user}."), user=user))


def launch(who: SignedIn, page: Sheet) -> Sheet:
    """Open the frame of an LMS page: login, authorisation and launch, each through its real address."""
    if not page.frames:
        raise Fatal("no_frame", say(N_("The LMS's page {url} opens no activity."), url=page.url))
    return who.person.follow(who.person.open(page.frames[0]))


def add_activity(teacher: SignedIn, plugin: str) -> Sheet:
    """Open the picker of a plugin by deep linking."""
    picker = teacher.person.open(teacher.course.link("modedit.php?add=lti"))
    return teacher.person.open(launch(teacher, picker).link(f"/pick/{plugin}/"))


def add_test(teacher: SignedIn, file: Path = SAMPLE, title: str = TEST_TITLE) -> Sheet:
    """Add an online test from a question file: upload, report, settings, back to the LMS, save."""
    person = teacher.person
    picker = add_activity(teacher, "online_test")
    report = person.submit(picker.form("upload"), files={"file": (file.name, file.read_bytes())})
    settings = person.submit(report.form("take"), {"title": title})
    form = settings.form("settings")
    for unwanted in ("shuffle", "paging"):
        form.fields.pop(unwanted, None)
    return save(person, person.follow(person.submit(form, {"title": title, "minutes": "20"})))


def add_simple(teacher: SignedIn, plugin: str) -> Sheet:
    """Add an activity whose picker asks for a name only."""
    picker = add_activity(teacher, plugin)
    return save(teacher.person, teacher.person.follow(teacher.person.submit(picker.form("pick"))))


def save(person: Person, chosen: Sheet) -> Sheet:
    """Press Save on the LMS's page that shows what was chosen."""
    return person.submit(chosen.form("modedit.php"))


def open_activity(who: SignedIn, title: str) -> Sheet:
    """Open an activity of the course by its name."""
    course = who.person.open(who.course.url)
    return launch(who, who.person.open(course.link(title)))


def take_test(who: SignedIn, number: int, title: str = TEST_TITLE) -> Sheet:
    """Take the test as pupil ``number`` of the answer sheet and submit; return the page with the score."""
    home = open_activity(who, title)
    sitting = who.person.submit(home.form("start"))
    form = sitting.form("sit")
    answers: dict[str, str | list[str]] = {}
    for place, fieldset in enumerate(_FIELDSET.findall(sitting.html)):
        answers.update(_fields(form, fieldset, number, place))
    return who.person.submit(form, answers, button="submit")


def _fields(form: Form, fieldset: str, pupil: int, place: int) -> dict[str, str | list[str]]:
    wanted = answer_of(pupil, place)
    names = list(dict.fromkeys(re.findall(r'name="((?!was-)[^"]+)"', fieldset)))
    match QUESTIONS[place].asked:
        case Asked.TEXT:
            return {names[0]: wanted[0]}
        case Asked.CHOICE:
            offered = {" ".join(label.split()): value for value, label in form.options[names[0]].items()}
            return {names[0]: [_option(offered, word) for word in wanted]}
        case Asked.MATCH:
            chosen: dict[str, str | list[str]] = {}
            for name, word in zip(names, wanted, strict=True):
                offered = {" ".join(label.split()): value for value, label in form.options[name].items()}
                chosen[name] = _option(offered, word)
            return chosen


_TRUE_FALSE = {"true": ("Дұрыс", "Верно", "True"), "false": ("Бұрыс", "Неверно", "False")}


def _option(offered: dict[str, str], word: str) -> str:
    for label in (word, *_TRUE_FALSE.get(word, ())):
        if label in offered:
            return offered[label]
    raise Fatal("no_such_option", say(N_("The page offers {offered}, not {word}."), offered=list(offered), word=word))
