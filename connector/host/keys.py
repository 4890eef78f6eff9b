"""Our key pairs: one per registration, sealed at rest, published as long as anything they signed may be on its way."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

from sqlalchemy import select

from connector.base.clock import utc_now
from connector.base.secrets import Vault
from connector.db.database import Database
from connector.db.tables.registry import key_rotation, registration, signing_key
from lti.tool.keys import from_pem, new_signing_key, public_jwk, to_pem
from lti.tool.ports import Registration, SigningKey


class Keys:
    """Our key pairs, sealed at rest and parsed once per process; implements ``lti.tool.ports.SigningKeys``."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Read through the service role."""
        self._database = database
        self._vault = vault
        self._parsed: dict[str, SigningKey] = {}
        self._lock = threading.Lock()

    def make(self, now: datetime) -> str:
        """Make and keep a new key pair; return its kid."""
        values = self.new_row(now)
        with self._database.service() as db:
            db.execute(signing_key.insert().values(values))
        return str(values["kid"])

    def new_row(self, now: datetime, state: str = "signing") -> dict[str, Any]:
        """Make a new key pair and return its row, to be stored in the caller's own transaction.

        Making one takes a tenth of a second, so it is done before a transaction is opened.
        """
        key = new_signing_key()
        return {
            "kid": key.kid, "sealed_pem": self._vault.seal(to_pem(key)), "public_jwk": public_jwk(key),
            "state": state, "created_at": now,
        }  # fmt: skip

    def for_registration(self, registration_: Registration) -> SigningKey:
        """Return the key pair we sign with towards a registration."""
        query = (
            select(signing_key.c.kid, signing_key.c.sealed_pem)
            .join(registration, registration.c.kid == signing_key.c.kid)
            .where(registration.c.id == registration_.id)
        )
        with self._database.service(write=False) as db:
            row = db.execute(query).one()
        with self._lock:
            if row.kid not in self._parsed:
                self._parsed[row.kid] = from_pem(row.kid, self._vault.open(row.sealed_pem))
            return self._parsed[row.kid]

    def public(self, now: datetime | None = None) -> list[dict[str, str]]:
        """Return the public keys platforms may need: published, signing, and retired so lately that what they signed
        may still be on its way.
        """
        late = (key_rotation.c.retired_at.is_(None)) & (key_rotation.c.retire_at > (now or utc_now()))
        lately = signing_key.c.kid.in_(select(key_rotation.c.old_kid).where(late))
        wanted = (signing_key.c.state != "retired") | lately
        query = select(signing_key.c.public_jwk).where(wanted).order_by(signing_key.c.kid)
        with self._database.service(write=False) as db:
            return list(db.execute(query).scalars())
