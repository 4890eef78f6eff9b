"""Factories: a placed test from GIFT text, people, and the moves of a pupil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plugins.contract import Activity, Member, Page, Placed, Redirect, Reply, Role, Upload
from plugins.online_test.imports.files import read_file
from plugins.online_test.imports.report import Entry, Report
from plugins.online_test.model import Question
from plugins.testkit import TestRoom, TestVisit

MIXED = """
::One:: 2 + 2? {=4#SECRET-RIGHT ~3#SECRET-WRONG ~5}

::Many:: Even numbers? {~%50%2 ~%50%4 ~%-100%3#SECRET-MANY}

::Truth:: Zero is even. {T#SECRET-F#SECRET-T}

::Number:: Price of the ticket? {#1822,731:0,25#SECRET-NUM}

::Word:: Capital of Kazakhstan? {=Zq-Astana =%50%Zq-Akmola#SECRET-WORD}

::Pairs:: Match. {=1 -> one =2 -> two =3 -> three = -> SPARE ####SECRET-GENERAL}
"""


def gift(text: str) -> Report:
    return read_file("test.gift", text.encode())


def entry(text: str) -> Entry:
    (only,) = gift(text).entries
    return only


def question(text: str) -> Question:
    found = entry(text).question
    assert found is not None, entry(text).reasons
    return found


def reasons(found: Entry) -> list[tuple[int, str]]:
    return [(reason.line, str(reason.message)) for reason in found.reasons]


def place(room: TestRoom, text: str = MIXED, **settings: str) -> Activity:
    """Take a test through the picker as a teacher does, and place it."""
    teacher = next((m for m in room.people if m.role is Role.TEACHER), None) or room.person("Сәуле", Role.TEACHER)
    visit = room.visit(teacher)
    sent = visit.post("pick/upload", files={"file": Upload("test.gift", text.encode())})
    assert isinstance(sent, Redirect)
    taken = visit.post(f"{sent.path}/take", {"title": "Algebra"})
    assert isinstance(taken, Redirect), taken
    form = {"title": "Algebra", "minutes": "20", "attempts": "1", "release": "submitted", "tag": "sor"} | settings
    placed = visit.post(taken.path, form)
    assert isinstance(placed, Placed), placed
    (placement,) = placed.placements
    return room.place(placement.title, placement.settings, placement.score_maximum)


@dataclass
class Sitting:
    """A pupil in front of an open test."""

    visit: TestVisit
    attempt: str
    views: list[Any]

    def view(self, text: str) -> Any:
        return next(view for view in self.views if text in str(view.html))

    def place_of(self, text: str, words: str) -> str:
        return next(choice.place for choice in self.view(text).choices if choice.words == words)

    def send(self, text: str, value: Any, seq: int = 1) -> Reply:
        body = {"attempt": self.attempt, "question": self.view(text).id, "seq": seq, "value": value}
        reply = self.visit.post("answer", json=body)
        assert isinstance(reply, Reply), reply
        return reply

    def submit(self, **fields: str) -> Any:
        return self.visit.post("sit", {"attempt": self.attempt, "action": "submit", "script": "yes"} | fields)

    def answer_all(self, seq: int = 1) -> None:
        """Give full answers to MIXED."""
        self.send("2 + 2", self.place_of("2 + 2", "4"), seq)
        self.send("Even numbers", [self.place_of("Even numbers", "2"), self.place_of("Even numbers", "4")], seq)
        self.send("Zero is even", "0", seq)
        self.send("Price", "1 822,8", seq)
        self.send("Capital", " zq-ASTANA ", seq)
        pairs = {str(i): self.place_of("Match", word) for i, word in enumerate(("one", "two", "three"))}
        self.send("Match", pairs, seq)


def sit(room: TestRoom, activity: Activity, pupil: Member, language: str = "en") -> Sitting:
    """Start or resume, and open the sitting page."""
    visit = room.visit(pupil, activity, language)
    started = visit.post("start")
    assert started == Redirect("sit"), started
    return look(visit)


def look(visit: TestVisit) -> Sitting:
    page = visit.get("sit")
    assert isinstance(page, Page), page
    return Sitting(visit, page.values["attempt"].id, page.values["questions"])
