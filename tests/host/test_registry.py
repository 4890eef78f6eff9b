"""What stands above schools: registrations, deployments, keys and tokens, each sealed or apart as it must be."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from connector.base.errors import Fatal
from connector.db.tables.registry import access_token, deployment, registration, signing_key
from connector.db.tables.registry import school as school_table
from connector.host.keys import Keys
from connector.host.platforms import private_host
from connector.host.registry import KeySetTable, Tokens
from lti.tool.ports import AccessToken, StoredKeySet, TokenKey
from tests.support.kopir_site import Site, StillClock, open_runtime

JWKS = "https://lms.school.kz/certs"


def test_registered_platform_is_found_by_issuer_and_client(site: Site) -> None:
    main = site.lmss["main"]
    (found,) = site.runtime.registry.find(main.issuer, main.client_id)
    assert (found.issuer, found.client_id, found.id) == (main.issuer, main.client_id, main.made.registration_id)
    assert site.runtime.registry.get(found.id) == found
    assert site.runtime.registry.find(main.issuer, None) == [found]
    assert site.runtime.registry.find(main.issuer, "another") == []
    assert site.runtime.registry.find(main.issuer + "/", main.client_id) == []
    assert site.runtime.registry.get("none") is None


@pytest.mark.parametrize("hostile", ["\x00", "a\x00b", "'; DROP TABLE school; --", "%", "ә" * 5000])
def test_hostile_issuer_finds_nothing_and_breaks_nothing(hostile: str, site: Site) -> None:
    assert site.runtime.registry.find(hostile, None) == []
    assert site.runtime.registry.find(site.lmss["main"].issuer, hostile) == []


def test_registering_again_brings_the_addresses_up_to_date_and_keeps_id_and_key(site: Site) -> None:
    main = site.lmss["main"]
    before = site.runtime.registry.get(main.made.registration_id)
    again = site.lms("https://elsewhere.kz/keys", issuer=main.issuer, client_id=main.client_id)
    after = site.runtime.registry.get(main.made.registration_id)
    assert before is not None
    assert after is not None
    assert again.made.registration_id == main.made.registration_id
    assert again.made.school_id == main.made.school_id
    assert (before.jwks_url, after.jwks_url) == (main.jwks_url, "https://elsewhere.kz/keys")
    with site.runtime.database.service(write=False) as db:
        assert len(db.execute(select(signing_key)).all()) == 1
        assert len(db.execute(select(registration)).all()) == 1


def test_one_registration_serves_several_deployments_of_several_schools(site: Site) -> None:
    main = site.lmss["main"]
    same = {"issuer": main.issuer, "client_id": main.client_id}
    site.lms(main.jwks_url, deployment_id="2", **same)
    other = site.lms(main.jwks_url, "lyceum-2", deployment_id="3", **same)
    registry = site.runtime.registry
    found = [registry.school_of(main.made.registration_id, name) for name in ("1", "2", "3", "4")]
    assert [one.code if one else None for one in found] == ["lyceum-1", "lyceum-1", "lyceum-2", None]
    assert other.made.registration_id == main.made.registration_id
    assert [(code, name) for _, name, code in registry.all()] == [
        ("lyceum-1", "1"), ("lyceum-1", "2"), ("lyceum-2", "3"),
    ]  # fmt: skip


def test_deployment_of_one_school_is_not_given_to_another(site: Site) -> None:
    main = site.lmss["main"]
    with pytest.raises(Fatal, match="lyceum-1") as caught:
        site.lms("https://x.kz/k", "lyceum-2", issuer=main.issuer, client_id=main.client_id)
    assert caught.value.reason == "deployment_taken"
    school = site.runtime.registry.school_of(main.made.registration_id, "1")
    assert school is not None
    assert school.code == "lyceum-1"
    kept = site.runtime.registry.get(main.made.registration_id)
    assert kept is not None
    assert kept.jwks_url == main.jwks_url
    with site.runtime.database.service(write=False) as db:
        assert len(db.execute(select(deployment)).all()) == 1


def test_frames_of_a_school_are_its_own_platforms_only(site: Site) -> None:
    site.lms(JWKS, "lyceum-2", issuer="https://other.kz", frame_origins=("https://third.kz",))
    registry = site.runtime.registry
    schools = {one.code: one.id for one in registry.schools()}
    assert registry.frame_origins(schools["lyceum-1"]) == ("https://lms.school.kz",)
    assert registry.frame_origins(schools["lyceum-2"]) == ("https://other.kz", "https://third.kz")
    assert registry.frame_origins("none") == ()


def test_private_key_is_sealed_at_rest_and_opens_with_the_installations_keys(site: Site) -> None:
    found = site.runtime.registry.get(site.lmss["main"].made.registration_id)
    assert found is not None
    pair = site.runtime.keys.for_registration(found)
    assert site.runtime.keys.for_registration(found) is pair
    with site.runtime.database.service(write=False) as db:
        row = db.execute(select(signing_key)).one()
        raw = str(tuple(db.execute(text("SELECT * FROM signing_key")).one()))
    assert "PRIVATE KEY" in site.runtime.vault.open(row.sealed_pem)
    for part in ("PRIVATE", "BEGIN", pair.key.as_dict(private=True)["d"][:40]):
        assert part not in raw


def test_database_file_holds_no_key_no_token_and_no_school_secret_in_clear(sqlite_site: Site, tmp_path: Path) -> None:
    main = sqlite_site.lmss["main"]
    key = TokenKey("https://lms/token", "c", "1", frozenset({"s"}))
    store = Tokens(sqlite_site.runtime.database, sqlite_site.runtime.vault)
    store.save(key, AccessToken("bearer-of-the-school", frozenset({"s"}), datetime.now(UTC) + timedelta(hours=1)))
    found = sqlite_site.runtime.registry.get(main.made.registration_id)
    assert found is not None
    private = sqlite_site.runtime.keys.for_registration(found).key.as_dict(private=True)
    client = sqlite_site.client()
    path = sqlite_site.enter(client, main)
    cookie = client.get_cookie("kopir_launch", domain="kopir.school.kz", path=path)
    assert cookie is not None
    with sqlite_site.runtime.database.service(write=False) as db:
        school_key = sqlite_site.runtime.vault.open(db.execute(select(school_table.c.sealed_key)).scalar_one())
    sqlite_site.runtime.database.close()
    (file,) = tmp_path.glob("*.sqlite3")
    with sqlite3.connect(file) as raw:
        dump = "\n".join(raw.iterdump())
    raw.close()
    secrets = ["bearer-of-the-school", "PRIVATE KEY", str(private["d"]), cookie.value.partition(".")[2], school_key]
    assert not [secret for secret in secrets if secret in dump]


def test_token_is_shared_sealed_and_dropped_only_while_it_is_the_stored_one(site: Site) -> None:
    store = Tokens(site.runtime.database, site.runtime.vault)
    key = TokenKey("https://lms/token", "c", "1", frozenset({"a", "b"}))
    same = TokenKey("https://lms/token", "c", "1", frozenset({"b", "a"}))
    until = datetime.now(UTC) + timedelta(hours=1)
    first, second = (AccessToken(value, frozenset({"a"}), until) for value in ("first", "second"))
    assert store.load(key) is None
    store.save(key, first)
    assert store.load(same) == first
    store.save(key, second)
    store.drop(key, first)
    assert store.load(key) == second
    store.drop(key, second)
    assert store.load(key) is None


@pytest.mark.parametrize(
    "change",
    [{"token_url": "https://other/token"}, {"client_id": "d"}, {"deployment_id": "2"}, {"scopes": frozenset({"a"})}],
    ids=["url", "client", "deployment", "scopes"],
)
def test_token_of_one_purpose_is_never_another_s(change: dict[str, object], sqlite_site: Site) -> None:
    store = Tokens(sqlite_site.runtime.database, sqlite_site.runtime.vault)
    values = {"token_url": "https://lms/token", "client_id": "c", "deployment_id": "1", "scopes": frozenset({"a", "b"})}
    store.save(TokenKey(**values), AccessToken("x", frozenset(), datetime.now(UTC)))  # type: ignore[arg-type]
    assert store.load(TokenKey(**{**values, **change})) is None  # type: ignore[arg-type]


@pytest.mark.postgres
def test_application_role_reads_no_token(request: pytest.FixtureRequest) -> None:
    database = request.getfixturevalue("postgres_database")
    with pytest.raises(Exception, match="permission denied"), database.school("x", write=False) as db:
        db.execute(select(access_token)).all()


def test_retired_key_is_no_longer_published_and_a_published_one_is(site: Site) -> None:
    (first,) = site.runtime.keys.public()
    assert set(first) >= {"kid", "kty", "n", "e", "alg", "use"}
    assert "d" not in first
    made = site.runtime.keys.make(site.clock())
    assert {key["kid"] for key in site.runtime.keys.public()} == {first["kid"], made}
    with site.runtime.database.service() as db:
        db.execute(signing_key.update().where(signing_key.c.kid == made).values(state="retired"))
    assert [key["kid"] for key in site.runtime.keys.public()] == [first["kid"]]


def test_key_sealed_with_keys_this_process_lacks_is_a_clear_error(site: Site, tmp_path: Path) -> None:
    from connector.base.secrets import Vault, new_key

    found = site.runtime.registry.get(site.lmss["main"].made.registration_id)
    assert found is not None
    with pytest.raises(Fatal, match="ENCRYPTION_KEYS"):
        Keys(site.runtime.database, Vault([new_key()])).for_registration(found)


def test_private_address_of_a_platform_is_allowed_for_that_host_and_port_only(site: Site) -> None:
    from connector.base.outbound import NetworkPolicy

    main = site.lmss["main"]
    hosts = site.runtime.registry.private_hosts()
    assert hosts == {private_host(main.jwks_url)}
    policy = NetworkPolicy.from_setting("off", site.runtime.registry.private_hosts)
    port = int(main.jwks_url.split(":")[2].split("/")[0])
    assert policy.allows("127.0.0.1", port, "127.0.0.1")
    assert not policy.allows("127.0.0.1", port + 1, "127.0.0.1")
    assert not policy.allows("10.0.0.1", port, "10.0.0.1")


def test_school_is_made_once_and_keeps_its_name(site: Site) -> None:
    registry = site.runtime.registry
    again = registry.make_school("lyceum-1", "Another name", site.runtime.vault, site.clock())
    assert again.name == "Мектеп lyceum-1"
    assert [one.code for one in registry.schools()] == ["lyceum-1"]


def test_two_runtimes_see_one_registry(site: Site, tmp_path: Path) -> None:
    settings = site.runtime.settings
    from tests.support.databases import Place

    other = open_runtime(Place("any", settings.database_url, settings.database_service_url), tmp_path, StillClock())
    main = site.lmss["main"]
    assert other.registry.find(main.issuer, main.client_id) == site.runtime.registry.find(main.issuer, main.client_id)
    other.database.close()


def test_of_processes_that_want_a_platforms_keys_early_one_may_ask_in_ten_seconds(site: Site) -> None:
    table, url, pause = KeySetTable(site.runtime.database), "https://lms.school.kz/certs", timedelta(seconds=10)
    now = site.clock()
    # What was never stored is nobody's to wait for.
    assert table.claim(url, now, pause) == timedelta()
    table.save(url, StoredKeySet('{"keys": []}', now))
    assert table.claim(url, now, pause) == timedelta()
    assert table.claim(url, now + timedelta(seconds=4), pause) == timedelta(seconds=6)
    table.save(url, StoredKeySet('{"keys": [1]}', now))
    assert table.claim(url, now + timedelta(seconds=9), pause) == timedelta(seconds=1)
    assert table.claim(url, now + timedelta(seconds=10), pause) == timedelta()
    assert table.claim(url, now, pause) == timedelta(), "a clock that ran ahead holds nobody up"
