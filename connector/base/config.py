"""Configuration: the environment or ``kopir.toml``, read once into one typed object.

The environment wins over the file. A missing or bad setting is one line that names it and its remedy.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from connector.base.errors import Fatal
from connector.base.i18n import LANGUAGES, N_, say

PrivateNetworks = Literal["off", "on"] | tuple[str, ...]


_DATABASES = ("sqlite:///", "postgresql://", "postgres://", "postgresql+psycopg://")
_BROKERS = ("redis://", "rediss://", "amqp://", "amqps://", "memory://")


def _is_origin(value: str) -> bool:
    """Tell whether an address is scheme, host and port alone: cookies and addresses start at the root."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    bare = f"{parts.hostname}" if port is None else f"{parts.hostname}:{port}"
    whole = parts.netloc.lower().replace("[", "").replace("]", "")
    rest = parts.path.strip("/") + parts.query + parts.fragment
    return parts.scheme in ("http", "https") and bool(parts.hostname) and whole == bare and not rest


def _listed(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class Settings(BaseModel):
    """Everything an installation can set; field names in capitals are the environment's names."""

    # Errors never quote what was given: it may be a key or a database's password.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Path = Field(default=Path("data"), description="Folder of the SQLite database, keys and uploads.")
    database_url: str = Field(default="", description="SQLAlchemy URL; empty means SQLite in the data folder.")
    database_service_url: str = Field(
        default="",
        description="PostgreSQL URL of the second small role; empty means the same as DATABASE_URL.",
    )
    database_owner_url: str = Field(
        default="", description="PostgreSQL URL of the tables' owner, used by `kopir init` and `kopir upgrade` only."
    )
    broker_url: str = Field(default="", description="Celery broker; empty means threads inside the server.")
    secret_key: str = Field(description="Signs states, cookies and one-use addresses. Made by `kopir init`.")
    encryption_keys: tuple[str, ...] = Field(description="Fernet keys, newest first. Made by `kopir init`.")
    public_url: str = Field(default="http://127.0.0.1:8001", description="Where browsers and the LMS reach Kopir.")
    trusted_proxies: int = Field(default=0, ge=0, le=5, description="How many proxies in front set X-Forwarded-*.")
    languages: tuple[str, ...] = Field(default=LANGUAGES, description="Languages offered, the default first.")
    allow_private_networks: PrivateNetworks = Field(
        default="off",
        description="off, on, or hosts and CIDRs that outbound calls may reach inside private networks.",
    )
    ca_file: str = Field(
        default="",
        description="PEM file of certificate authorities that outbound calls trust beside the public ones.",
    )
    job_threads: int = Field(default=4, ge=0, le=32, description="Worker threads inside the server; 0 for none.")
    smtp_host: str = Field(default="", description="Mail server for notices; empty: no e-mail is sent.")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_tls: Literal["starttls", "tls", "off"] = Field(default="starttls", description="How the way to it is sealed.")
    smtp_user: str = Field(default="", description="Its account; empty: none.")
    smtp_password: str = Field(default="", description="The account's password.")
    mail_from: str = Field(default="", description="Sender of e-mails.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    _split = field_validator("encryption_keys", "languages", mode="before")(_listed)

    @field_validator("allow_private_networks", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        word = str(value).strip().lower()
        if isinstance(value, bool) or word in ("on", "off", ""):
            return {"true": "on", "false": "off", "": "off"}.get(word, word)
        entries = _listed(value)
        if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
            raise ValueError("must be off, on, or hosts and networks such as lms.school.kz, 10.0.0.0/8")
        for entry in entries:
            if "/" in entry:
                ipaddress.ip_network(entry)
        return tuple(entry.lower() for entry in entries)

    @field_validator("ca_file")
    @classmethod
    def _authorities(cls, value: str) -> str:
        if value:
            try:
                ssl.create_default_context(cafile=value)
            except (OSError, ssl.SSLError) as error:
                raise ValueError("must name a readable PEM file of certificates") from error
        return value

    @field_validator("database_url", "database_service_url", "database_owner_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if value and not value.startswith(_DATABASES):
            raise ValueError("must look like postgresql://user@host/kopir or sqlite:////var/lib/kopir/kopir.sqlite3")
        return value

    @field_validator("smtp_password")
    @classmethod
    def _sealed_way(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("smtp_tls") == "off":
            raise ValueError("is never sent over an open connection; set SMTP_TLS to starttls or tls")
        return value

    @field_validator("mail_from")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if any(mark in value for mark in "\r\n"):
            raise ValueError("must be one address such as Kopir <kopir@school.kz>")
        return value

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, value: str) -> str:
        if value and not value.startswith(_BROKERS):
            raise ValueError("must look like redis://host:6379/0 or amqp://user@host:5672//")
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one key is needed; `kopir init` writes one")
        for key in value:
            try:
                Fernet(key)
            except ValueError as error:
                text = "each key is 32 bytes in URL-safe base64; `kopir init` writes one"
                raise ValueError(text) from error
        return value

    @field_validator("secret_key")
    @classmethod
    def _long(cls, value: str) -> str:
        if len(value) < 32:
            raise ValueError("must have 32 characters or more; `kopir init` writes a good one")
        return value

    @field_validator("languages")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [code for code in value if code not in LANGUAGES]
        if unknown or not value:
            raise ValueError(f"choose from {', '.join(LANGUAGES)}; not {', '.join(unknown) or 'an empty list'}")
        return value

    @field_validator("public_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if not _is_origin(value):
            raise ValueError("must look like https://kopir.school.kz, with no path behind it")
        return value.rstrip("/")

    @property
    def sqlalchemy_url(self) -> str:
        """The database's URL with the default and the PostgreSQL driver filled in."""
        url = self.database_url or f"sqlite:///{(self.data_dir / 'kopir.sqlite3').resolve()}"
        return with_driver(url)

    @property
    def owner_url(self) -> str:
        """The URL of the role that owns the tables; no server process uses it."""
        return with_driver(self.database_owner_url) if self.database_owner_url else self.sqlalchemy_url

    @property
    def service_url(self) -> str:
        """The URL of the role that serves look-ups, leases and sweeps across schools."""
        return with_driver(self.database_service_url) if self.database_service_url else self.sqlalchemy_url


def with_driver(url: str) -> str:
    """Name psycopg 3 in a PostgreSQL URL that names no driver."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def load_settings(environ: Mapping[str, str] | None = None, file: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings from ``kopir.toml`` (or ``KOPIR_CONFIG``), the environment and the overrides, in this order.

    Keys that ``kopir init`` wrote into the data folder (``keys.toml``) fill what is still missing. An empty variable
    of the environment counts as not set.

    Raises:
        Fatal: A setting is missing or bad; the message names each in one line, and its remedy.
    """
    environ = os.environ if environ is None else environ
    path, values = _written(environ, file)
    values.update(overrides)
    keys = data_folder(values) / "keys.toml"
    if keys.exists():
        values = {**_read_toml(keys), **values}
    try:
        return Settings(**values)
    except ValidationError as error:
        # One line: each setting by its name, and what is wrong with it.
        lines = "; ".join(f"{str(e['loc'][0]).upper()}: {_plain(e)}" for e in error.errors())
        message = say(
            N_("Configuration is not complete: {lines}. Run `kopir init` or mend {path}."),
            lines=" ".join(lines.split()),
            path=path,
        )
        raise Fatal("bad_configuration", message) from error


def written_settings(environ: Mapping[str, str] | None = None, file: Path | None = None) -> dict[str, Any]:
    """Return what the file and the environment say, unchecked: what ``kopir init`` starts from.

    Raises:
        Fatal: The file is not there, not readable or not TOML.
    """
    return _written(os.environ if environ is None else environ, file)[1]


def data_folder(values: Mapping[str, Any]) -> Path:
    """Return the data folder that these settings name."""
    return Path(str(values.get("data_dir") or "data"))


def _written(environ: Mapping[str, str], file: Path | None) -> tuple[Path, dict[str, Any]]:
    named = environ.get("KOPIR_CONFIG")
    path = file or Path(named or "kopir.toml")
    if named and file is None and not path.exists():
        raise Fatal("bad_configuration", say(N_("KOPIR_CONFIG names {path}, which does not exist."), path=path))
    values = {name.lower(): value for name, value in _read_toml(path).items()} if path.exists() else {}
    # An empty variable is one that was not set: compose files pass those on.
    values.update({name: environ[name.upper()] for name in Settings.model_fields if environ.get(name.upper())})
    return path, values


def _plain(error: Any) -> str:
    return "missing" if error["type"] == "missing" else str(error["msg"]).removeprefix("Value error, ")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except ValueError as error:
        where = error if isinstance(error, tomllib.TOMLDecodeError) else "UTF-8"
        raise Fatal(
            "bad_configuration", say(N_("{path} is not valid TOML: {error}"), path=path, error=where)
        ) from error
    except OSError as error:
        text = N_("{path} cannot be read: {error}")
        raise Fatal("bad_configuration", say(text, path=path, error=error.strerror)) from error
