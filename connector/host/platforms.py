"""Register an LMS by hand: the school, a key pair of its own, the addresses, and what the LMS must be told."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from sqlalchemy import select

from connector.db.tables.registry import registration
from connector.host.registry import Platform
from connector.host.runtime import Runtime


@dataclass(frozen=True)
class Registered:
    """What came of a registration: our ids, and the addresses the LMS's administrator fills in."""

    school_id: str
    registration_id: str
    login_url: str
    launch_url: str
    jwks_url: str
    private_hosts: tuple[str, ...]

    def for_the_lms(self) -> str:
        """Return what to type into the LMS, as text."""
        lines = [
            f"Tool URL, redirection URI: {self.launch_url}",
            f"Initiate login URL:        {self.login_url}",
            f"Public keyset URL:         {self.jwks_url}",
        ]
        if self.private_hosts:
            lines.append(f"Allowed inside the private network, for this LMS only: {', '.join(self.private_hosts)}")
        return "\n".join(lines)


def register_platform(runtime: Runtime, platform: Platform, code: str, name: str) -> Registered:
    """Register or update an LMS; a private address is allowed for exactly the host an administrator named."""
    now = runtime.clock()
    school = runtime.registry.make_school(code, name, runtime.vault, now)
    private = tuple(sorted({host for url in (platform.token_url, platform.jwks_url) if (host := private_host(url))}))
    kid = _kid_of(runtime, platform) or runtime.keys.make(now)
    made = runtime.registry.add_platform(replace(platform, private_hosts=private), school.id, kid, now)
    public = runtime.settings.public_url
    return Registered(school.id, made.id, f"{public}/lti/login", runtime.launch_url, f"{public}/lti/jwks.json", private)


def _kid_of(runtime: Runtime, platform: Platform) -> str | None:
    query = select(registration.c.kid).where(
        registration.c.issuer == platform.issuer, registration.c.client_id == platform.client_id
    )
    with runtime.database.service(write=False) as db:
        return db.execute(query).scalar_one_or_none()


def private_host(url: str) -> str | None:
    """Return ``host:port`` when the host resolves to a private address; a name that does not resolve gives None."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError:
        return None
    addresses = [ipaddress.ip_address(str(info[4][0]).split("%")[0]) for info in found]
    return f"{parts.hostname}:{port}" if any(not address.is_global for address in addresses) else None
