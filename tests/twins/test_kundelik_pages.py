import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from connector.base.i18n import catalogue
from sync.twins.kundelik import Journal
from tests.twins.kundelik_site import TODAY, new_journal

ROOT = Path(__file__).parents[2]
CELL = re.compile(r'<td class="mark" data-person="(\d+)" data-work="(\d+)">([^<]*)</td>')
LETTER = re.compile(r'<td class="letter" data-person="(\d+)" data-lesson="(\d+)">([^<]*)</td>')


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return new_journal(tmp_path)


@pytest.fixture
def page(journal: Journal) -> FlaskClient:
    return journal.app.test_client()


def csrf(page: FlaskClient) -> str:
    found = re.search(r'data-csrf="([^"]+)"', page.get("/journal").text)
    assert found
    return found.group(1)


def save(page: FlaskClient, kind: str, place: str, person: str, value: str, was: str = ""):
    body = {"kind": kind, "place": place, "person": person, "value": value, "was": was}
    return page.post("/cells", data=body, headers={"X-CSRF-Token": csrf(page)})


def last_lesson(journal: Journal) -> tuple[str, str]:
    lesson, _, work = [each for each in journal.lessons() if each[1] <= TODAY][-1]
    return lesson, work


def test_the_grid_shows_every_mark_of_the_quarter_in_cells_a_program_can_read(journal, page):
    cells = {(person, work): value for person, work, value in CELL.findall(page.get("/journal?quarter=1").text)}
    works = {work for _, day, work in journal.lessons() if day.month in (9, 10)}
    assert {key: value for key, value in cells.items() if value} == {
        key: value for key, value in journal.marks().items() if key[1] in works
    }
    assert len(cells) == 30 * len(works)


def test_pupils_stand_in_the_journals_order(page):
    names = re.findall(r'<span class="long">([^<]+)</span>', page.get("/journal").text)
    assert len(names) == 30
    assert names[0].startswith("Әбдірахманова")
    assert names[-1].startswith("Шәріп")


def test_a_typed_mark_is_kept_changed_and_cleared(journal, page):
    _, work = last_lesson(journal)
    person = journal.person_ids()[4]
    assert save(page, "mark", work, person, " 8 ").json == {"value": "8"}
    assert save(page, "mark", work, person, "9", "8").json == {"value": "9"}
    assert journal.marks()[person, work] == "9"
    assert save(page, "mark", work, person, "", "9").json == {"value": ""}
    assert (person, work) not in journal.marks()


def test_a_pair_of_marks_is_typed_with_a_slash(journal, page):
    work = journal.lessons(journal.other_subject_id)[-1][2]
    person = journal.person_ids()[4]
    assert save(page, "mark", work, person, "4/5").json == {"value": "4/5"}
    assert save(page, "mark", work, person, "4", "4/5").json == {"value": "4"}
    assert journal.marks()[person, work] == "4"


def test_a_cell_that_moved_is_not_overwritten(journal, page):
    _, work = last_lesson(journal)
    person = journal.person_ids()[4]
    journal.set_mark(person, work, "5")
    answer = save(page, "mark", work, person, "8")
    assert answer.status_code == 409
    assert "5" in answer.json["error"]
    assert journal.marks()[person, work] == "5"


@pytest.mark.parametrize("value", ["11", "0", "<b>", "4/5", "восемь"])
def test_a_mark_the_scale_lacks_is_refused_with_a_sentence(journal, page, value):
    _, work = last_lesson(journal)
    person = journal.person_ids()[4]
    answer = save(page, "mark", work, person, value)
    assert answer.status_code == 422
    assert answer.json["error"]
    assert (person, work) not in journal.marks()


@pytest.mark.parametrize(
    ("language", "letter", "status"),
    [
        ("kk", "ж", "Absent"), ("kk", "д", "Pass"), ("kk", "а", "Ill"), ("kk", "К", "Late"), ("kk", "k", "Late"),
        ("ru", "н", "Absent"), ("ru", "п", "Pass"), ("ru", "б", "Ill"), ("ru", "о", "Late"), ("ru", "H", "Absent"),
        ("en", "a", "Absent"), ("en", "i", "Ill"),
    ],
)  # fmt: skip
def test_a_letter_means_what_the_pages_language_says(journal, page, language, letter, status):
    page.post("/language", data={"language": language, "csrf": csrf(page)})
    lesson, person = journal.lessons()[-1][0], journal.person_ids()[6]
    assert save(page, "letter", lesson, person, letter).status_code == 200
    assert journal.attendance()[person, lesson] == status


def test_a_letter_of_another_language_is_refused(journal, page):
    lesson, person = journal.lessons()[-1][0], journal.person_ids()[6]
    assert save(page, "letter", lesson, person, "н").status_code == 422
    assert (person, lesson) not in journal.attendance()


def test_letters_are_shown_again_in_the_chosen_language(page):
    before = [letter for *_, letter in LETTER.findall(page.get("/journal").text) if letter]
    page.post("/language", data={"language": "ru", "csrf": csrf(page)})
    after = [letter for *_, letter in LETTER.findall(page.get("/journal").text) if letter]
    assert after == [dict(zip("ждак", "нпбо", strict=True))[letter] for letter in before]
    assert after


def test_the_form_of_a_lesson_saves_what_is_new_and_names_what_moved(journal, page):
    lesson, work = last_lesson(journal)
    first, second = journal.person_ids()[4], journal.person_ids()[5]
    journal.set_mark(second, work, "5")
    form = {
        "csrf": csrf(page),
        f"cell-mark-{work}-{first}": "10",
        f"was-mark-{work}-{first}": "",
        f"cell-mark-{work}-{second}": "9",
        f"was-mark-{work}-{second}": "",
    }
    answer = page.post(f"/lessons/{lesson}", data=form)
    assert 'class="refused"' in answer.text
    assert (journal.marks()[first, work], journal.marks()[second, work]) == ("10", "5")


def test_a_form_without_its_token_changes_nothing(journal, page):
    _, work = last_lesson(journal)
    page.get("/journal")
    body = {"kind": "mark", "place": work, "person": journal.person_ids()[4], "value": "8", "was": ""}
    assert page.post("/cells", data=body).status_code == 400
    assert page.post("/cells", data=body, headers={"X-CSRF-Token": "guess"}).status_code == 400
    assert page.post("/writable", data={"writable": "no"}).status_code == 400
    assert journal.writable
    assert (journal.person_ids()[4], work) not in journal.marks()


def test_the_switch_stops_other_programs_but_not_the_teacher(journal, page):
    page.post("/writable", data={"writable": "no", "csrf": csrf(page)})
    assert not journal.writable
    _, work = last_lesson(journal)
    assert save(page, "mark", work, journal.person_ids()[4], "8").status_code == 200
    page.post("/writable", data={"writable": "yes", "csrf": csrf(page)})
    assert journal.writable


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_going_back_never_leaves_the_site(page, back):
    answer = page.post("/language", data={"language": "ru", "csrf": csrf(page), "back": back})
    assert answer.headers["Location"] == "/"


def test_changes_name_who_did_what_by_which_way(journal, page):
    _, work = last_lesson(journal)
    save(page, "mark", work, journal.person_ids()[4], "8")
    journal.set_mark(journal.person_ids()[4], work, "9")
    text = page.get("/changes").text
    assert re.search(r'class="value">8</td><td class="value">9</td>', text)
    assert text.count("<tr>") == 3


def test_a_title_with_markup_is_shown_as_text(journal, page):
    lesson, _ = last_lesson(journal)
    body = {"lesson": int(lesson), "workType": 1260000022334401, "text": "<script>alert(1)</script>"}
    journal.app.test_client().post("/v2.0/works", json=body, headers={"Access-Token": journal.token})
    for address in ("/journal", f"/lessons/{lesson}"):
        text = page.get(address).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


def test_pages_carry_a_strict_policy(page):
    policy = page.get("/journal").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("address", ["/nothing", "/lessons/1", "/journal?quarter=9", "/journal?subject=1"])
def test_an_address_that_is_not_there_says_so(page, address):
    answer = page.get(address)
    assert answer.status_code == 404
    assert "Мұндай бет жоқ" in answer.text


def spoken(folder: Path) -> set[str]:
    found = set()
    for file in folder.rglob("*"):
        if file.suffix == ".py":
            found |= set(re.findall(r'N_\(\s*"([^"]+)"\s*\)', file.read_text("utf-8")))
        if file.suffix == ".html":
            found |= {text for _, text in re.findall(r'_\((["\'])(.+?)\1[,)]', file.read_text("utf-8"))}
    return found


def test_every_sentence_of_the_journal_is_spoken_in_kazakh_and_russian(journal):
    sentences = spoken(ROOT / "sync/twins/kundelik")
    assert len(sentences) > 50
    for language in ("kk", "ru"):
        assert not [text for text in sentences if catalogue.find(language, text) is None]
