"""Settings: from the environment or the file, in one order; a bad one is one line that names it and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import certifi
import pytest

from connector.base.config import Settings, load_settings, with_driver
from connector.base.errors import Fatal
from connector.base.i18n import catalogue, translate
from connector.base.secrets import new_key

KEY = new_key()
NEEDED = {"SECRET_KEY": "s" * 32, "ENCRYPTION_KEYS": KEY}
SAMPLES: dict[str, tuple[str, str, Any]] = {
    "data_dir": ("/srv/kopir", '"/srv/kopir"', Path("/srv/kopir")),
    "database_url": ("postgresql://a@db/k", '"postgresql://a@db/k"', "postgresql://a@db/k"),
    "database_service_url": ("postgresql://s@db/k", '"postgresql://s@db/k"', "postgresql://s@db/k"),
    "database_owner_url": ("postgresql://o@db/k", '"postgresql://o@db/k"', "postgresql://o@db/k"),
    "broker_url": ("redis://r:6379/0", '"redis://r:6379/0"', "redis://r:6379/0"),
    "secret_key": ("z" * 40, f'"{"z" * 40}"', "z" * 40),
    "encryption_keys": (f"{KEY}, {KEY}", f'["{KEY}", "{KEY}"]', (KEY, KEY)),
    "public_url": ("https://kopir.school.kz/", '"https://kopir.school.kz/"', "https://kopir.school.kz"),
    "trusted_proxies": ("2", "2", 2),
    "languages": ("ru, kk", '["ru", "kk"]', ("ru", "kk")),
    "allow_private_networks": ("LMS.school.kz, 10.0.0.0/8", '["lms.school.kz", "10.0.0.0/8"]',
                               ("lms.school.kz", "10.0.0.0/8")),
    "ca_file": (certifi.where(), f'"{certifi.where()}"', certifi.where()),
    "job_threads": ("4", "4", 4),
    "smtp_host": ("mail.school.kz", '"mail.school.kz"', "mail.school.kz"),
    "smtp_port": ("465", "465", 465),
    "smtp_tls": ("tls", '"tls"', "tls"),
    "smtp_user": ("kopir", '"kopir"', "kopir"),
    "smtp_password": ("pass word", '"pass word"', "pass word"),
    "mail_from": ("Kopir <k@school.kz>", '"Kopir <k@school.kz>"', "Kopir <k@school.kz>"),
    "log_level": ("DEBUG", '"DEBUG"', "DEBUG"),
}  # fmt: skip


def read(tmp_path: Path, environ: dict[str, str] | None = None, toml: str = "", **overrides: Any) -> Settings:
    file = tmp_path / "kopir.toml"
    if toml:
        file.write_text(toml, "utf-8")
    return load_settings({**NEEDED, **(environ or {})}, file, **{"data_dir": tmp_path / "data", **overrides})


def test_every_setting_has_a_sample_here() -> None:
    assert set(SAMPLES) == set(Settings.model_fields)


@pytest.mark.parametrize("name", SAMPLES)
def test_setting_is_read_from_the_environment(name: str, tmp_path: Path) -> None:
    text, _, expected = SAMPLES[name]
    settings = load_settings({**NEEDED, name.upper(): text}, tmp_path / "none.toml")
    assert getattr(settings, name) == expected


@pytest.mark.parametrize("spelling", [str.lower, str.upper])
@pytest.mark.parametrize("name", SAMPLES)
def test_setting_is_read_from_the_file_in_either_spelling(name: str, spelling: Any, tmp_path: Path) -> None:
    _, toml, expected = SAMPLES[name]
    file = tmp_path / "kopir.toml"
    file.write_text(f"{spelling(name)} = {toml}\n", "utf-8")
    environ = {other: value for other, value in NEEDED.items() if other != name.upper()}
    assert getattr(load_settings(environ, file), name) == expected


def test_override_beats_environment_beats_file_beats_written_keys(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "keys.toml").write_text(f'secret_key = "{"k" * 32}"\nencryption_keys = ["{KEY}"]\n')
    file = tmp_path / "kopir.toml"
    file.write_text('job_threads = 3\nsecret_key = "ffffffffffffffffffffffffffffffff"\n')
    only_file = load_settings({}, file, data_dir=data)
    assert (only_file.job_threads, only_file.secret_key[0], only_file.encryption_keys) == (3, "f", (KEY,))
    environ = {"JOB_THREADS": "5", "SECRET_KEY": "e" * 32}
    both = load_settings(environ, file, data_dir=data)
    assert (both.job_threads, both.secret_key[0]) == (5, "e")
    assert load_settings(environ, file, data_dir=data, job_threads=7).job_threads == 7


def test_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert read(tmp_path, {"TRUSTED_PROXIES": "", "BROKER_URL": ""}, toml="trusted_proxies = 1\n").trusted_proxies == 1


def test_defaults_need_nothing_but_keys(tmp_path: Path) -> None:
    settings = load_settings(NEEDED, tmp_path / "none.toml", data_dir=tmp_path)
    assert settings.sqlalchemy_url == f"sqlite:///{tmp_path}/kopir.sqlite3"
    assert settings.service_url == settings.owner_url == settings.sqlalchemy_url
    assert (settings.allow_private_networks, settings.trusted_proxies, settings.languages[0]) == ("off", 0, "kk")


@pytest.mark.parametrize("url", ["postgresql://a@h/d", "postgres://a@h/d", "postgresql+psycopg://a@h/d"])
def test_postgresql_is_spoken_to_with_psycopg_3(url: str) -> None:
    assert with_driver(url) == "postgresql+psycopg://a@h/d"


@pytest.mark.parametrize(("word", "expected"), [("on", "on"), ("OFF", "off"), (" On ", "on")])
def test_private_networks_switch_is_read_in_any_case(word: str, expected: str, tmp_path: Path) -> None:
    assert read(tmp_path, {"ALLOW_PRIVATE_NETWORKS": word}).allow_private_networks == expected


BAD = [
    ("SECRET_KEY", "short", "32 characters"),
    ("ENCRYPTION_KEYS", "not-a-key", "kopir init"),
    ("ENCRYPTION_KEYS", "ключ", "kopir init"),
    ("ENCRYPTION_KEYS", " , ", "at least one key"),
    ("TRUSTED_PROXIES", "many", "integer"),
    ("TRUSTED_PROXIES", "-1", "greater than or equal"),
    ("TRUSTED_PROXIES", "6", "less than or equal"),
    ("JOB_THREADS", "2.5", "integer"),
    ("JOB_THREADS", "33", "less than or equal"),
    ("LOG_LEVEL", "loud", "'DEBUG'"),
    ("LANGUAGES", "kk,de", "kk, ru, en; not de"),
    ("LANGUAGES", ",", "an empty list"),
    ("PUBLIC_URL", "kopir.school.kz", "https://kopir.school.kz"),
    ("PUBLIC_URL", "ftp://kopir.school.kz", "https://kopir.school.kz"),
    ("PUBLIC_URL", "https://", "https://kopir.school.kz"),
    ("PUBLIC_URL", "https://kopir.school.kz/kopir", "no path"),
    ("PUBLIC_URL", "https://kopir.school.kz?x=1", "no path"),
    ("PUBLIC_URL", "https://user:secret@kopir.school.kz", "no path"),
    ("PUBLIC_URL", "https://kopir.school.kz:99999", "no path"),
    ("PUBLIC_URL", "http://[::1", "no path"),
    ("ALLOW_PRIVATE_NETWORKS", "10.0.0.0/33", "10.0.0.0/33"),
    ("ALLOW_PRIVATE_NETWORKS", "10.0.0.1/8", "host bits"),
    ("DATABASE_URL", "mysql://a@h/d", "postgresql://"),
    ("DATABASE_URL", "kopir.sqlite3", "sqlite:///"),
    ("DATABASE_SERVICE_URL", "x", "postgresql://"),
    ("DATABASE_OWNER_URL", "x", "postgresql://"),
    ("BROKER_URL", "localhost:6379", "redis://"),
    ("CA_FILE", "/nowhere/school-ca.pem", "PEM"),
    ("CA_FILE", __file__, "PEM"),
]


@pytest.mark.parametrize(("name", "value", "part"), BAD)
def test_bad_value_is_one_line_that_names_the_setting_and_the_remedy(
    name: str, value: str, part: str, tmp_path: Path
) -> None:
    with pytest.raises(Fatal) as caught:
        read(tmp_path, {name: value})
    assert caught.value.reason == "bad_configuration"
    for language in ("en", "ru", "kk"):
        line = translate(caught.value.message, language)
        assert f"{name}: " in line
        assert part in line
        assert "kopir init" in line
        assert "\n" not in line
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "name"),
    [
        ("allow_private_networks = 5\n", "ALLOW_PRIVATE_NETWORKS"),
        ('allow_private_networks = ["10.0.0.0/33"]\n', "ALLOW_PRIVATE_NETWORKS"),
        ("allow_private_networks = [5]\n", "ALLOW_PRIVATE_NETWORKS"),
        ("langages = 5\n", "LANGAGES"),
        ("encryption_keys = 5\n", "ENCRYPTION_KEYS"),
        ("public_url = 5\n", "PUBLIC_URL"),
        ("trusted_proxies = []\n", "TRUSTED_PROXIES"),
    ],
)
def test_bad_value_in_the_file_names_the_setting(toml: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / "kopir.toml"
    file.write_text(toml, "utf-8")
    environ = {other: value for other, value in NEEDED.items() if other != name}
    with pytest.raises(Fatal) as caught:
        load_settings(environ, file)
    line = str(caught.value.message)
    assert line.count(f"{name}: ") == 1
    assert "\n" not in line


def test_true_and_false_in_the_file_switch_private_networks(tmp_path: Path) -> None:
    assert read(tmp_path, toml="allow_private_networks = true\n").allow_private_networks == "on"
    assert read(tmp_path, toml="allow_private_networks = false\n").allow_private_networks == "off"


def test_missing_keys_are_named_together_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(Fatal) as caught:
        load_settings({}, tmp_path / "none.toml", data_dir=tmp_path)
    text = str(caught.value.message)
    assert "SECRET_KEY: missing" in text
    assert "ENCRYPTION_KEYS: missing" in text
    assert "kopir init" in text


def test_error_of_a_bad_key_quotes_no_secret_even_in_its_causes(tmp_path: Path) -> None:
    with pytest.raises(Fatal) as caught:
        read(tmp_path, {"SECRET_KEY": "hunter2", "DATABASE_URL": "mysql://u:hunter2@h/d"})
    seen: BaseException | None = caught.value
    while seen is not None:
        assert "hunter2" not in str(seen)
        seen = seen.__cause__


@pytest.mark.parametrize("content", [b"a = = 1", b"\xff\xfe\x00", b"[unclosed"])
def test_file_that_is_not_toml_is_named(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "kopir.toml"
    file.write_bytes(content)
    with pytest.raises(Fatal) as caught:
        load_settings(NEEDED, file)
    assert str(file) in str(caught.value.message)
    assert "\n" not in str(caught.value.message)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="cannot be read"):
        load_settings(NEEDED, tmp_path)


def test_named_file_that_does_not_exist_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="KOPIR_CONFIG") as caught:
        load_settings({**NEEDED, "KOPIR_CONFIG": str(tmp_path / "gone.toml")})
    assert "gone.toml" in str(caught.value.message)


def test_file_is_found_by_its_name_in_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text("job_threads = 9\n")
    assert load_settings({**NEEDED, "KOPIR_CONFIG": str(file)}, data_dir=tmp_path).job_threads == 9


def test_messages_of_settings_exist_in_kazakh_and_russian() -> None:
    catalogue.add(Path("connector/i18n").resolve())
    with pytest.raises(Fatal) as caught:
        load_settings({}, Path("/nonexistent/none.toml"))
    texts = {translate(caught.value.message, language) for language in ("kk", "ru", "en")}
    assert len(texts) == 3


def test_mail_password_is_never_sent_over_an_open_connection(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="SMTP_PASSWORD: is never sent over an open connection"):
        read(tmp_path, {"SMTP_TLS": "off", "SMTP_PASSWORD": "secret"})
