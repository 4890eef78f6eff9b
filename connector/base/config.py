"""Configuration: the environment or ``kopir.toml``, read once into one typed object.

The environment wins over the file. A missing or bad setting is one line that names it and its remedy.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connector.base.errors import Fatal
from connector.base.i18n import LANGUAGES, N_, say

PrivateNetworks = Literal["off", "on"] | tuple[str, ...]


def _listed(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class Settings(BaseModel):
    """Everything an installation can set; field names in capitals are the environment's names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    job_threads: int = Field(default=2, ge=0, le=32, description="Worker threads inside the server; 0 for none.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    _split = field_validator("encryption_keys", "languages", mode="before")(_listed)

    @field_validator("allow_private_networks", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if isinstance(value, str) and value.strip().lower() not in ("on", "off"):
            entries = _listed(value)
            for entry in entries if isinstance(entries, tuple) else ():
                if "/" in entry:
                    ipaddress.ip_network(entry)
            return entries
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("encryption_keys")
    @classmethod
    def _keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one key is needed; `kopir init` writes one")
        for key in value:
            Fernet(key)
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
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must look like https://kopir.school.kz")
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

    Keys that ``kopir init`` wrote into the data folder (``keys.toml``) fill what is still missing.

    Raises:
        Fatal: A setting is missing or bad; the message names each, and its remedy.
    """
    environ = os.environ if environ is None else environ
    path = file or Path(environ.get("KOPIR_CONFIG", "kopir.toml"))
    values: dict[str, Any] = _read_toml(path) if path.exists() else {}
    for name in Settings.model_fields:
        if name.upper() in environ:
            values[name] = environ[name.upper()]
    values.update(overrides)
    keys = Path(values.get("data_dir", "data")) / "keys.toml"
    if keys.exists():
        values = {**_read_toml(keys), **values}
    try:
        return Settings(**values)
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, e['loc'])).upper()}: {_plain(e)}" for e in error.errors())
        message = say(
            N_("Configuration is not complete: {lines}. Run `kopir init` or mend {path}."),
            lines=lines,
            path=path,
        )
        raise Fatal("bad_configuration", message) from error


def _plain(error: Any) -> str:
    return "missing" if error["type"] == "missing" else str(error["msg"]).removeprefix("Value error, ")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise Fatal(
            "bad_configuration", say(N_("{path} is not valid TOML: {error}"), path=path, error=error)
        ) from error
