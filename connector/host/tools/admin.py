"""What an administrator does with tools: types one in, reads what the vendor must be told, says what it may."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connector.host.platforms import private_host
from connector.host.runtime import Runtime
from connector.host.tools.platform import facts
from connector.host.tools.records import DEPLOYMENT, SchoolTool, State, Told, add_tool
from connector.host.tools.registering import check_tool, may_be_http
from lti.platform.records import RegisteredTool
from lti.vocab import Scope

GRADES = frozenset({str(Scope.LINEITEM), str(Scope.LINEITEM_READONLY), str(Scope.RESULT_READONLY), str(Scope.SCORE)})
ROSTER = frozenset({str(Scope.MEMBERSHIP_READONLY)})


@dataclass(frozen=True)
class Typed:
    """A tool as a vendor's page describes it.

    Attributes:
        redirect_uris: The launch address itself when none are named.
        deep_linking_url: Empty when the tool offers no choosing.
    """

    name: str
    login_url: str
    target_link_uri: str
    jwks_url: str
    redirect_uris: tuple[str, ...] = ()
    deep_linking_url: str = ""
    frame_origins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Allowed:
    """What a school lets a tool do and know."""

    grades: bool = True
    roster: bool = False
    told: frozenset[Told] = frozenset()

    @property
    def scopes(self) -> frozenset[str]:
        """Return the service scopes it comes to."""
        return (GRADES if self.grades else frozenset()) | (ROSTER if self.roster else frozenset())


def type_in(
    runtime: Runtime, school_id: str, typed: Typed, allowed: Allowed, allow_hosts: Iterable[str] = ()
) -> SchoolTool:
    """Let a tool in by hand, switched on.

    Args:
        runtime: The process.
        school_id: The school.
        typed: The tool.
        allowed: What it may.
        allow_hosts: ``host:port`` inside private networks that may be spoken to, without TLS too.

    Raises:
        Fatal: An address is not one a browser may be sent to.
    """
    hosts = tuple(host.lower() for host in allow_hosts)
    tool = RegisteredTool(
        client_id="",
        deployment_id=DEPLOYMENT,
        name=typed.name,
        login_url=typed.login_url,
        redirect_uris=typed.redirect_uris or (typed.target_link_uri,),
        target_link_uri=typed.target_link_uri,
        deep_linking_url=typed.deep_linking_url or None,
        jwks_url=typed.jwks_url,
        scopes=allowed.scopes,
    )
    check_tool(tool, may_be_http(runtime, hosts))
    private = tuple(host for host in hosts if host == private_host(typed.jwks_url))
    return add_tool(
        runtime, school_id, tool, state=State.ON, told=allowed.told, frame_origins=typed.frame_origins,
        private_hosts=private,
    )  # fmt: skip


def for_the_vendor(runtime: Runtime, tool: SchoolTool) -> dict[str, str]:
    """Return what the vendor types into the tool, by the field's usual name."""
    where = facts(runtime)
    return {
        "Issuer": where.issuer,
        "Client ID": tool.client_id,
        "Deployment ID": tool.deployment_id,
        "Authentication request URL": where.auth_url,
        "Access token URL": where.token_url,
        "Public keyset URL": where.jwks_url,
    }
