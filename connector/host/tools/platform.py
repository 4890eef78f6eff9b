"""Kopir's own platform over its database: one issuer, one set of addresses, every school's tools."""

from __future__ import annotations

from connector.base.i18n import N_, say
from connector.host.runtime import Runtime
from connector.host.tools.keys import key_ring
from connector.host.tools.records import SchoolTool, Spent, ToolTable
from lti.platform.bearer import Grant
from lti.platform.errors import BearerRefused
from lti.platform.keys import ToolKeys
from lti.platform.platform import LtiPlatform
from lti.platform.records import PlatformFacts

BASE = "/platform"


def facts(runtime: Runtime) -> PlatformFacts:
    """Return the addresses a vendor types into a tool."""
    public = runtime.settings.public_url
    return PlatformFacts(public, f"{public}{BASE}/auth", f"{public}{BASE}/token", f"{public}{BASE}/jwks.json")


def platform_of(runtime: Runtime) -> LtiPlatform:
    """Return the platform for one request; cheap, for its keys are parsed once per process."""
    return LtiPlatform(
        facts(runtime),
        key_ring(runtime),
        tools=ToolTable(runtime.database),
        once=Spent(runtime.database, runtime.clock),
        tool_keys=ToolKeys(runtime.key_sets),
        secret=runtime.settings.secret_key,
        clock=runtime.clock,
    )


def granted(runtime: Runtime, authorization: str, service: str, method: str) -> tuple[Grant, SchoolTool]:
    """Return the grant behind a service call, and the school's tool that holds it.

    Raises:
        BearerRefused: 401 or 403.
    """
    grant = platform_of(runtime).grant(authorization, service, method)
    if not isinstance(grant.tool, SchoolTool):
        raise BearerRefused(401, "invalid_token", "invalid_token", say(N_("The access token is not ours.")))
    return grant, grant.tool
