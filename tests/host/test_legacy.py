"""People and links of an LTI 1.1 tool are known again by proven ids, and by nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from connector.cli.main import main
from connector.db.tables.launches import account, launch, resource_link
from connector.host.launches import ACTIVITY_PARAMETER
from connector.host.legacy import LegacyKeys
from connector.host.registered import remove_registration
from lti.tool.legacy import signature_of
from lti.vocab import Claim
from tests.support import factories as make
from tests.support.kopir_site import PUBLIC, Lms, Site

KEY, SECRET = "consumer", "a-secret-of-2016"


@pytest.fixture
def lms(site: Site) -> Lms:
    main_ = site.lmss["main"]
    LegacyKeys(site.runtime.database, site.runtime.vault).keep(main_.made.registration_id, KEY, SECRET, site.clock())
    return main_


def rows(site: Site, lms: Lms, table: Any) -> list[Any]:
    with site.runtime.database.school(lms.made.school_id, write=False) as db:
        return list(db.execute(select(table).where(table.c.school_id == lms.made.school_id)).all())


def arrive(site: Site, lms: Lms, sub: str, link: str, secret: str = SECRET, **changes: Any) -> Any:
    """Launch as somebody who was 'old-5' at the link 'old-1' of the LTI 1.1 tool."""
    registration = site.runtime.registry.get(lms.made.registration_id)
    assert registration is not None

    def claims(nonce: str, now: Any, /, **more: Any) -> dict[str, Any]:
        value = Lms.claims(lms, nonce, now, **more)
        value[Claim.LTI1P1] = {
            "oauth_consumer_key": KEY, "user_id": "old-5", "resource_link_id": "old-1",
            "oauth_consumer_key_sign": signature_of(value, registration, KEY, secret),
        }  # fmt: skip
        return value

    lms.claims = claims  # type: ignore[method-assign]
    try:
        return site.admit(lms, sub=sub, RESOURCE_LINK={"id": link}, **changes)[1]
    finally:
        del lms.claims


def trace(site: Site, lms: Lms) -> str:
    newest = max(rows(site, lms, launch), key=lambda row: row.created_at)
    return next(outcome for name, _, outcome in newest.trace if name == "lti1p1")


def test_lti1p1_person_and_link_with_new_ids_keep_account_and_activity(site: Site, lms: Lms) -> None:
    activity = make.make_activity(site.runtime.database, lms.made.school_id)
    before = arrive(site, lms, "5", "1", CUSTOM={ACTIVITY_PARAMETER: activity})
    after = arrive(site, lms, "new-sub", "new-link")
    assert (after.account_id, after.resource_link) == (before.account_id, before.resource_link)
    assert after.activity_id == activity
    assert [row.sub for row in rows(site, lms, account)] == ["new-sub"]
    assert [row.link_id for row in rows(site, lms, resource_link)] == ["new-link"]
    assert trace(site, lms) == "passed"


def test_lti1p1_claim_that_nothing_proves_joins_nobody_and_is_traced(site: Site, lms: Lms) -> None:
    before = arrive(site, lms, "5", "1")
    stranger = arrive(site, lms, "6", "2", secret="guessed")
    assert stranger.account_id != before.account_id
    assert stranger.resource_link != before.resource_link
    assert trace(site, lms) == "ignored"


def test_lti1p1_proven_id_takes_no_account_that_another_person_has(site: Site, lms: Lms) -> None:
    before = arrive(site, lms, "5", "1")
    other = site.admit(lms, sub="6")[1]
    again = arrive(site, lms, "6", "1")
    assert again.account_id == other.account_id
    assert {row.id for row in rows(site, lms, account)} == {before.account_id, other.account_id}


def test_lti1p1_secret_is_sealed_and_goes_with_its_registration(site: Site, lms: Lms) -> None:
    keys = LegacyKeys(site.runtime.database, site.runtime.vault)
    with site.runtime.database.service(write=False) as db:
        assert SECRET not in str(db.execute(text("SELECT * FROM legacy_secret")).all())
    keys.keep(lms.made.registration_id, KEY, "newer", site.clock())
    assert keys.secret(lms.made.registration_id, KEY) == "newer"
    assert remove_registration(site.runtime, lms.made.registration_id)
    assert keys.keys(lms.made.registration_id) == []


def test_lti1p1_keys_are_entered_by_whoever_runs_kopir(sqlite_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site, issuer = sqlite_site, sqlite_site.lmss["main"].issuer
    settings = site.runtime.settings
    for name, value in {
        "DATABASE_URL": settings.database_url, "SECRET_KEY": settings.secret_key, "PUBLIC_URL": PUBLIC,
        "ENCRYPTION_KEYS": ",".join(settings.encryption_keys), "DATA_DIR": str(settings.data_dir),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def run(*words: str, given: str = "") -> Any:
        return CliRunner().invoke(main, ["lti", "legacy", *words], input=given)

    assert run("add", issuer, KEY).exit_code == 1
    added = run("add", issuer, KEY, "--json", given=f"{SECRET}\n")
    assert added.exit_code == 0
    assert SECRET not in added.output
    assert [row["consumer_key"] for row in json.loads(run("list", issuer, "--json").output)] == [KEY]
    keys = LegacyKeys(site.runtime.database, site.runtime.vault)
    assert keys.secret(site.lmss["main"].made.registration_id, KEY) == SECRET
    assert run("remove", issuer, KEY).exit_code == 0
    assert run("remove", issuer, KEY).exit_code == 1
