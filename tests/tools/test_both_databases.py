"""The tool's whole way through the tables, once on SQLite and once on PostgreSQL under its two roles."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from connector.host.tools.keys import key_states, rotate
from connector.host.tools.records import Change, State, change_tool, tools
from connector.host.tools.registering import invite_tool, register
from connector.host.tools.scores import erase_person, export_person
from connector.host.tools.shown import tool_columns
from tests.support.databases import Place
from tests.support.tools_kit import later, open_vendor
from tests.tools.test_services import DESCRIPTION


def test_tool_lives_and_ends_on_both_databases(database_place: Place, tmp_path: Path) -> None:
    with open_vendor(database_place, tmp_path) as vendor:
        here, school = vendor.site.runtime, vendor.tool.school_id
        vendor.token()
        at = later(-5)
        with ThreadPoolExecutor(6) as pool:
            times = [at + timedelta(seconds=step) for step in range(10)]
            codes = set(pool.map(lambda when: vendor.send(when).status_code, times))
        assert codes <= {204, 409}
        assert vendor.call("POST", vendor.columns, {"label": "x", "scoreMaximum": 2}).status_code == 201
        assert len(vendor.call("GET", f"{vendor.columns}?limit=1").json) == 1
        (member,) = vendor.call("GET", vendor.members).json["members"]
        assert member["user_id"] == vendor.subject
        with here.database.school(school, write=False) as db:
            activity = str(db.exec_driver_sql("SELECT activity FROM tool_link").scalar_one())
            own, loose = tool_columns(db, school, activity)
            assert (own.goes_on, len(own.scores), loose.goes_on) == (True, 1, False)
            assert export_person(db, school, vendor.pupil)["scores"][0]["given"] == "8"
        token, _ = invite_tool(here, school)
        register(here, token, json.dumps(DESCRIPTION).encode())
        assert len(tools(here, school, State.PENDING)) == 1
        rotate(here)
        assert [one["signs"] for one in key_states(here)] == [True, False]
        assert vendor.send(later(1)).status_code == 204
        with here.database.school(school) as db:
            assert erase_person(db, school, vendor.pupil) == 2
        change_tool(here, school, vendor.tool.id, Change(state=State.OFF))
        assert vendor.call("GET", vendor.columns).status_code == 401
