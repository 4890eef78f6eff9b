"""Kopir as the platform: a hardened wrapper over lti1p3platform 0.1.8.

The web layer talks to `lti.platform.platform.LtiPlatform`; what must be remembered is asked for through the
Protocols of `lti.platform.records`. The library's services (AGS, NRPS) and its ``framework`` package are not reachable.

What the bare library does, and what happens here (each shown both ways in ``tests/lti_platform/test_faults.py``):

============================ ============================================== =====================================
fault                        the library, bare                              here
============================ ============================================== =====================================
open redirect of id_tokens   posts the token to whatever redirect_uri says  exact text in the tool's own list
unescaped form               a template without autoescape reflects state   the form is data (`FormPost`)
checks by assert             vanish under ``python -O``                     plain code that raises
unchecked request            response_type, mode, scope, prompt ignored     each compared (`authorisation.check`)
unbound login                login_hint and hint never looked at            one-use hint, bound to user and session
stray query wins             the query replaces the POST form               only checked fields reach the library
incomplete messages          sent without link, settings or user            `messages.claims_of` refuses
doubled question mark        a login address with a query gets a second     the queries are merged
loose assertions             iss, sub, aud, exp, jti, type unread           all required (`tokens.TokenEndpoint`)
any scope is fine            unknown scopes give a token with none          scopes ∩ granted, else invalid_scope
token bound to nothing       no aud, jti, kid, deployment                   all there, and typ ``at+jwt``
any scope opens any door     result.readonly can post a score               a scope per service and method
errors as 500                a garbage token raises through                 BearerRefused: 401 or 403, a challenge
id_token as access token     same key, same iss: accepted                   another typ, another audience
deep linking downgraded      without a URL of its own, an ordinary launch   the message keeps its type
unchecked choice             no iss, aud, exp, nonce, deployment, data      all checked, nonce once
item without a type          KeyError                                       refused
keys fetched unguarded       any address, any size, for ever, no refetch    `ToolKeys` over `lti.tool.jwks`
PEM parsed per token         74 ms for each signature                       parsed once, 0.3 ms
payload changed by signing   the caller's dict gains iat and exp            a copy is signed
state on a shared object     not safe between threads                       all made anew per request
pages break                  page + 1 on a text, unknown names splatted     `paging.page_of`, a cursor in the Link
any body is a score          nothing is validated                           `grades.read_score`, `read_line_item`
one key for ever             no rotation                                    `keys.KeyRing`, two phases
no configuration, no DR      missing                                        `registration`
============================ ============================================== =====================================
"""

from pathlib import Path

from connector.base.i18n import catalogue

catalogue.add(Path(__file__).parent.parent / "i18n")
