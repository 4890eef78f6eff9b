"""The two ways out: an e-mail by the installation's SMTP server, and a signed webhook through the guarded session."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urlsplit

from connector.base.config import Settings
from connector.base.errors import Fatal, Retriable
from connector.base.i18n import N_, say
from connector.base.outbound import Outbound
from connector.host.telling.matters import Matter
from connector.host.telling.message import Words
from connector.host.telling.recipients import Recipient

SECONDS = 20.0


def send_mail(settings: Settings, to: Recipient, words: Words, message_id: str, now: datetime) -> None:
    """Hand one e-mail to the SMTP server; the same message keeps its Message-ID, so that a second copy is seen as one.

    Raises:
        Fatal: No server is set, or it will never take this address (``mail_not_set``, ``address_refused``).
        Retriable: The server cannot be reached or does not take the message now.
    """
    if not settings.smtp_host:
        raise Fatal("mail_not_set", say(N_("No mail server is set: SMTP_HOST and MAIL_FROM.")))
    host = urlsplit(settings.public_url).hostname or "kopir"
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = settings.mail_from or f"kopir@{host}", to.address, words.subject
    mail["Date"], mail["Message-ID"] = format_datetime(now), f"<{message_id}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(words.body)
    try:
        with _server(settings) as server:
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password)
            server.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        if all(500 <= code < 600 for code, _ in error.recipients.values()):
            raise Fatal("address_refused", say(N_("The mail server refuses this address."))) from error
        raise _later("mail_not_taken") from error
    except smtplib.SMTPAuthenticationError as error:
        raise _later("mail_sign_in_refused") from error
    except (smtplib.SMTPException, OSError) as error:
        raise _later("mail_not_taken") from error


def _server(settings: Settings) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if settings.ca_file:
        context.load_verify_locations(settings.ca_file)
    if settings.smtp_tls == "tls":
        return smtplib.SMTP_SSL(settings.smtp_host, settings.smtp_port, timeout=SECONDS, context=context)
    server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=SECONDS)
    if settings.smtp_tls == "starttls":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _later(reason: str) -> Retriable:
    return Retriable(reason, say(N_("The mail server did not take the message; it is tried again.")))


def call_webhook(
    outbound: Outbound, to: Recipient, school: str, kind: str, matters: Sequence[Matter], place: tuple[str, str],
    now: datetime,
) -> None:  # fmt: skip
    """Post one message, signed as standardwebhooks.com describes: id, time and body under HMAC-SHA256.

    Args:
        outbound: The guarded session.
        to: The recipient.
        school: The school's code.
        kind: ``notice``, ``digest`` or ``test``.
        matters: What it says.
        place: The message's id, which a second copy keeps, and our public address.
        now: The present instant.

    Raises:
        Fatal: The address is not allowed, or is gone for good (410).
        Retriable: It did not take the message now.
    """
    message_id, public_url = place
    items = [{"kind": one.kind, "count": one.count, "url": f"{public_url}{one.path}"} for one in matters]
    body = json.dumps({"type": f"kopir.{kind}", "school": school, "at": now.isoformat(), "matters": items})
    stamp = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature(to.secret, message_id, stamp, body)}",
    }
    answer = outbound.request("POST", to.address, headers=headers, body=body, max_bytes=65536)
    if answer.status == 410:
        raise Fatal("webhook_gone", say(N_("The webhook says that it is gone.")))
    if not 200 <= answer.status < 300:
        text = N_("The webhook answered with {status}; it is tried again.")
        raise Retriable(f"http_{answer.status}", say(text, status=answer.status), answer.retry_after)


def signature(secret: str, message_id: str, stamp: str, body: str) -> str:
    """Return the base64 HMAC-SHA256 of ``id.timestamp.body`` under the key that the secret writes in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.digest(key, f"{message_id}.{stamp}.{body}".encode(), hashlib.sha256)).decode()
