"""An LMS's own server for measurements: quick, in memory, and it counts who asks.

``/keys`` is its key set, ``/slow`` the same after 100 ms, ``/many`` one of 402 keys, ``/token`` its token endpoint,
``/column/<delay in ms>/<name>/…`` a gradebook column (``scores``, ``results``), ``/counts`` how often each kind of
address was asked for.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.messages import Platform, new_key_file

SLOW_SECONDS = 0.1
OTHER_KEYS = 401
Marks = dict[str, dict[str, Any]]


class LmsServer:
    """Answers over kept connections; a score is taken only with a later timestamp, as platforms do."""

    def __init__(self, key_file: Path) -> None:
        """Prepare the documents."""
        own = Platform.read("", key_file).jwk()
        others = [{**own, "kid": f"other-{number}"} for number in range(OTHER_KEYS)]
        few, many = (json.dumps({"keys": keys}).encode() for keys in ([own], [*others, own]))
        self._key_sets = {"keys": few, "slow": few, "many": many}
        self._counts: Counter[str] = Counter()
        self._columns: dict[str, Marks] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it is closed."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = await reader.readexactly(_length(head))
                method, target = head.decode("latin-1").split(" ", 2)[:2]
                writer.write(_reply(*await self._answer(method, urlsplit(target).path.split("/")[1:], body)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: list[str], body: bytes) -> tuple[int, bytes]:
        kind = path[0]
        if kind == "counts":
            return 200, json.dumps(self._counts).encode()
        self._counts[kind if kind != "column" else path[-1]] += 1
        if kind == "token":
            scope = parse_qs(body.decode()).get("scope", [""])[0]
            token = {"access_token": "bench", "token_type": "Bearer", "expires_in": 3600, "scope": scope}
            return 200, json.dumps(token).encode()
        if kind == "column":
            return await self._column(method, path, body)
        if kind == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        found = self._key_sets.get(kind)
        return (404, b"{}") if found is None else (200, found)

    async def _column(self, method: str, path: list[str], body: bytes) -> tuple[int, bytes]:
        _, delay, name, *_ = path
        if int(delay):
            await asyncio.sleep(int(delay) / 1000)
        marks = self._columns.setdefault(name, {})
        if method == "GET":
            return 200, json.dumps([_result(user, score) for user, score in marks.items()]).encode()
        score = json.loads(body)
        held = marks.get(score["userId"])
        if held is not None and held["timestamp"] >= score["timestamp"]:
            return 409, b"{}"
        marks[score["userId"]] = score
        return 200, b"{}"


def _result(user: str, score: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"r-{user}", "userId": user, "resultScore": score["scoreGiven"],
            "resultMaximum": score["scoreMaximum"], "timestamp": score["timestamp"]}  # fmt: skip


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _reply(status: int, body: bytes) -> bytes:
    reason = {200: "OK", 404: "Not Found", 409: "Conflict"}[status]
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _run(port: int, key_file: Path) -> None:
    server = await asyncio.start_server(LmsServer(key_file).serve, "127.0.0.1", port, backlog=256)
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
