"""The LMS's own server: it publishes its keys and counts who asks.

``/keys`` is its key set, ``/slow`` the same after 100 ms, ``/many`` one of 402 keys, ``/counts`` how often each was
asked for.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from benchmarks.launches.messages import Platform, new_key_file

SLOW_SECONDS = 0.1
OTHER_KEYS = 401


class KeyServer:
    """Answers GET over kept connections."""

    def __init__(self, key_file: Path) -> None:
        """Prepare the documents."""
        platform = Platform.read("", key_file)
        own = platform.jwk()
        others = [{**own, "kid": f"other-{number}"} for number in range(OTHER_KEYS)]
        self._few = json.dumps({"keys": [own]}).encode()
        self._many = json.dumps({"keys": [*others, own]}).encode()
        self._counts = dict.fromkeys(("/keys", "/slow", "/many"), 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it is closed."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode()
                writer.write(await self._answer(path))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str) -> bytes:
        if path == "/counts":
            return _reply(json.dumps(self._counts).encode())
        self._counts[path] += 1
        if path == "/slow":
            await asyncio.sleep(SLOW_SECONDS)
        return _reply(self._many if path == "/many" else self._few)


def _reply(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _run(port: int, key_file: Path) -> None:
    server = await asyncio.start_server(KeyServer(key_file).serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve on a port with a key file, which is made if it is not there."""
    port, key_file = int(sys.argv[1]), Path(sys.argv[2])
    if not key_file.exists():
        new_key_file(key_file)
    asyncio.run(_run(port, key_file))


if __name__ == "__main__":
    main()
