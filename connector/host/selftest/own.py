"""What the self-test looks at besides: our keys, what a login asks for, sessions apart, and the rows stored."""

from __future__ import annotations

from collections.abc import Iterator

from connector.host.selftest import messages
from connector.host.selftest.browser import Browser
from connector.host.selftest.cases import BY_ID
from connector.host.selftest.probe import Probe
from connector.host.selftest.records import Verdict

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})


def ground(probe: Probe) -> Iterator[Verdict]:
    """Look at what everything else stands on."""
    yield keys(probe)
    yield login(probe)


def after(probe: Probe) -> Iterator[Verdict]:
    """Look at what all the launches left behind."""
    yield apart(probe)
    yield rows(probe)


def keys(probe: Probe) -> Verdict:
    """Look at the tool's public key set, and for the key that signs towards this platform."""
    runtime = probe.target.runtime
    registration = runtime.registry.get(probe.target.registration_id)
    kid = runtime.keys.for_registration(registration).kid if registration else ""
    found = probe.public_keys()
    leaked = sorted({name for key in found for name in key if name in _PRIVATE})
    good = kid in {key.get("kid") for key in found} and not leaked
    shown = f"{len(found)} keys" + (f", private: {', '.join(leaked)}" if leaked else "")
    return Verdict(BY_ID["keys"], "ours, public halves only", shown if good else f"{shown}, not ours", good)


def login(probe: Probe) -> Verdict:
    """Look at what a login asks of the platform (Security Framework 1.0 §5.1.1.2), and at its cookie."""
    begun = probe.login()
    asked, lms = begun.asked, probe.lms
    cookies = begun.seen.answer.cookies if begun.seen.answer else ()
    right = {
        "scope": asked.get("scope") == "openid",
        "response_type": asked.get("response_type") == "id_token",
        "response_mode": asked.get("response_mode") == "form_post",
        "prompt": asked.get("prompt") == "none",
        "client_id": asked.get("client_id") == lms.client_id,
        "redirect_uri": asked.get("redirect_uri") == probe.target.launch_url,
        "login_hint": asked.get("login_hint") == messages.PUPIL_SUB,
        "lti_message_hint": asked.get("lti_message_hint") == "hint",
        "nonce": len(asked.get("nonce", "")) >= 32,
        "state": len(asked.get("state", "")) >= 32,
        "cookie": len(cookies) == 1 and all(word in cookies[0] for word in ("Secure", "HttpOnly", "Partitioned")),
    }
    wrong = [name for name, good in right.items() if not good]
    shown = f"{begun.seen.short()}" + (f", wrong: {', '.join(wrong)}" if wrong else "")
    return Verdict(BY_ID["login"], "302 lms", shown, begun.seen.landed == "lms" and not wrong,
                   messages=begun.seen.messages)  # fmt: skip


def apart(probe: Probe) -> Verdict:
    """Try to open one launch with another launch's secret."""
    first, second = Browser(probe.outbound), Browser(probe.outbound)
    mine = probe.launch(probe.login(first), **messages.teacher())
    other = probe.launch(probe.login(second))
    stolen = [value for (path, _), value in second.cookies.items() if other.launch_id and other.launch_id in path]
    thief = Browser(probe.outbound)
    path = f"/l/{mine.launch_id}/"
    thief.cookies.update(dict.fromkeys([(path, "kopir_launch")], stolen[0] if stolen else ""))
    status = thief.get(probe.url(path)).status
    own = first.get(probe.url(path)).status
    good = bool(stolen) and status == 403 and own == 200
    return Verdict(BY_ID["sessions-apart"], "own 200, other 403", f"own {own}, other {status}", good)


def rows(probe: Probe) -> Verdict:
    """Compare the launches that are stored with those that were let in."""
    stored, let_in = probe.launches(), probe.let_in
    return Verdict(BY_ID["rows"], f"{let_in} stored", f"{stored} stored", stored == let_in)
