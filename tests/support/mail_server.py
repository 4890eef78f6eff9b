"""A small SMTP server on a port of its own: keeps what it takes, and refuses or hangs up when told to."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """What it was given, and how it behaves.

    Attributes:
        port: Where it listens.
        mails: Messages it took, oldest first.
        refuse: Answer to RCPT instead of a yes: ``550 no such user`` or ``451 later``.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refuse: str = ""


@contextmanager
def mail_server() -> Iterator[MailServer]:
    kept = MailServer()

    class Talk(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 test ESMTP")
            while line := self.rfile.readline().decode().strip():
                word = line[:4].upper()
                if word in ("EHLO", "HELO", "MAIL", "RSET", "NOOP"):
                    self.say("250 fine")
                elif word == "RCPT":
                    self.say(kept.refuse or "250 fine")
                elif word == "DATA":
                    self.say("354 go on")
                    kept.mails.append(self.mail())
                    self.say("250 taken")
                elif word == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("502 not here")

        def mail(self) -> EmailMessage:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            found = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(found, EmailMessage)
            return found

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        kept.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield kept
        finally:
            server.shutdown()
