"""Who is who on the console: proposals, namesakes, identity files looked at before they count, links taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from sync.runs import people as joining
from sync.store import connections
from sync.twins.sample_school import pupils
from tests.support.databases import Place
from tests.sync.kit import FILE, MAPPING
from tests.web.console_kit import BASE, Console, console, plain
from tests.web.console_school import class_journal, class_lms, identity_csv


@pytest.fixture
def made(sqlite_place: Place, tmp_path: Path) -> Iterator[Console]:
    with console(sqlite_place, tmp_path) as found:
        found.compare()
        yield found


def linked(made: Console) -> int:
    with made.runtime.database.school(made.bench.school, write=False) as db:
        return len(joining.links(db, connections.get(db, made.bench.school, made.bench.connection)))


def offered(made: Console) -> list[str]:
    return re.findall(r'name="proposal" value="([^"]+)"', made.get().text)


def look_at(made: Console, text: str | bytes, name: str = "pupils.csv") -> TestResponse:
    # Written out by hand: the test client would leave a temporary file of a large upload open.
    data = text if isinstance(text, bytes) else text.encode()
    head = f'--x\r\nContent-Disposition: form-data; name="kopir_token"\r\n\r\n{made.token}\r\n--x\r\n'
    head += f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n'
    return made.client.post(
        made.home + "people/file", base_url=BASE, data=head.encode() + data + b"\r\n--x--\r\n",
        headers={"Accept-Language": "en"}, content_type="multipart/form-data; boundary=x",
    )  # fmt: skip


def sealed(answer: TestResponse) -> str:
    found = re.search(r'name="sealed" value="([^"]+)"', answer.text)
    assert found, plain(answer.text)
    return unescape(found[1])


def test_all_proposals_are_confirmed_at_once_and_a_new_plan_follows(made: Console) -> None:
    assert len(offered(made)) == 4
    answer = made.post("people/accept", which="all")
    assert "note=joined" in answer.headers["Location"]
    assert linked(made) == 4
    made.work()
    text = made.text()
    assert "Linked: 4. To confirm: 0." in text
    assert "accepted by a person" in text
    assert "To write 5" in text


def test_only_the_ticked_proposals_are_confirmed(made: Console) -> None:
    made.post("people/accept", which="ticked", proposal=offered(made)[:1])
    assert linked(made) == 1
    assert made.post("people/accept", which="ticked").headers["Location"].endswith("note=nothing_chosen")
    assert linked(made) == 1


def test_proposals_set_aside_do_not_come_again(made: Console) -> None:
    first = offered(made)[0]
    made.post("people/reject", which="ticked", proposal=[first])
    made.compare()
    assert len(offered(made)) == 3
    made.post("people/reject", which="all")
    made.compare()
    assert offered(made) == []
    assert linked(made) == 0


def test_a_proposal_of_another_connection_cannot_be_confirmed(made: Console) -> None:
    made.post("people/accept", which="ticked", proposal=["01a200ba0cc8700098df41e79c7fdafa"])
    assert linked(made) == 0


def test_a_link_is_taken_back(made: Console) -> None:
    made.join()
    made.post("people/part", person=made.bench.person("u1"))
    assert linked(made) == 3


def test_namesakes_are_never_confirmed_in_bulk(sqlite_place: Place, tmp_path: Path) -> None:
    with console(sqlite_place, tmp_path, left=class_lms(), right=class_journal()) as made:
        made.compare()
        assert "Namesakes in" in made.text()
        made.post("people/accept", which="all")
        made.work()
        assert linked(made) == 28
        text = made.text()
        assert "Namesakes in" in text
        assert len(set(re.findall(r"Серікбай Алихан \w+ \(…\w+\) = Сер[іи]кбай Алихан \w+ \(…\w+\)", text))) == 4


def test_an_identity_file_is_looked_at_before_anything_is_linked(made: Console) -> None:
    answer = look_at(made, FILE)
    assert answer.status_code == 200
    text = plain(answer.text)
    assert "New links: 4. Linked already: 0." in text
    assert "Тегі1 Аты1 90000000000000001 the school's own number" in text
    assert linked(made) == 0
    applied = made.post("people/file/apply", sealed=sealed(answer))
    assert "note=joined&n=4" in applied.headers["Location"]
    assert linked(made) == 4
    made.work()
    assert "identity file, by the school's own number" in made.text()


def test_a_wrong_line_is_named_and_nobody_is_linked(made: Console) -> None:
    rows = FILE + "N2;90000000000000004\n"
    answer = look_at(made, rows)
    text = plain(answer.text)
    assert "Nothing is linked until the file has no error" in text
    assert "6 error The idnumber of this row stands in line 3 as well: one number is one person's." in text
    assert 'name="sealed"' not in answer.text
    assert linked(made) == 0


def test_a_row_nobody_goes_by_is_told_and_the_rest_may_be_linked(made: Console) -> None:
    answer = look_at(made, FILE + "N77;90000000000000077\n")
    assert "6 remark Nobody in the LMS goes by this row's number." in plain(answer.text)
    made.post("people/file/apply", sealed=sealed(answer))
    assert linked(made) == 4


@pytest.mark.parametrize("text", [b"", b"\xff\xfe\x00\x01rubbish", "бір;екі\n1;2\n".encode(), b"idnumber;kundelik\n"])
def test_a_file_that_is_none_is_explained(made: Console, text: bytes) -> None:
    answer = look_at(made, text)
    assert answer.status_code == 200
    assert 'name="sealed"' not in answer.text
    assert "alert" in answer.text
    assert linked(made) == 0


def test_a_file_too_large_is_refused(made: Console) -> None:
    answer = look_at(made, b"idnumber;kundelik\n" + b"N1;1\n" * 500_000)
    assert answer.status_code == 409
    assert "larger than 2 MB" in plain(answer.text)


def test_a_sealed_file_opens_for_its_own_connection_only_and_not_forever(made: Console) -> None:
    kept = sealed(look_at(made, FILE))
    other = other_connection(made)
    answer = made.post(f"/console/connections/{other}/people/file/apply", sealed=kept)
    assert answer.status_code == 409
    for wrong in (
        "",
        "rubbish",
        made.runtime.vault.seal("[]"),
        made.runtime.vault.seal('{"for": "x"}'),
        kept[:-4] + "AAAA",
    ):
        assert made.post("people/file/apply", sealed=wrong).status_code == 409
    late = made.runtime.clock().timestamp() + 3600
    made.runtime.clock = lambda: datetime.fromtimestamp(late, UTC)
    assert "Choose it again" in plain(made.post("people/file/apply", sealed=kept).text)
    assert linked(made) == 0


def other_connection(made: Console) -> str:
    with made.runtime.database.school(made.bench.school) as db:
        return connections.add(
            db, made.bench.school, MAPPING.replace("moodle:gym", "moodle:two"), made.bench.clock(),
            settings={}, credentials={}, vault=made.bench.vault,
        )  # fmt: skip


def test_an_iin_never_stands_on_the_page_in_the_clear(made: Console) -> None:
    iin = pupils()[0].iin
    answer = look_at(made, f"iin;idnumber;kundelik\n{iin};N1;90000000000000001\n")
    assert answer.status_code == 200
    assert iin not in answer.text
    assert linked(made) == 0


def test_a_whole_class_is_linked_by_one_file(sqlite_place: Place, tmp_path: Path) -> None:
    with console(sqlite_place, tmp_path, left=class_lms(), right=class_journal()) as made:
        made.compare()
        made.post("people/file/apply", sealed=sealed(look_at(made, identity_csv())))
        made.work()
        assert linked(made) == 29
        text = made.text()
        assert "Linked: 29. To confirm: 1." in text
        assert text.index("Әбдірахманова") < text.index("Әлімхан Ерасыл") < text.index("Байжанова Аружан")
