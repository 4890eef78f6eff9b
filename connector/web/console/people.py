"""Who is who: take or set aside proposals, upload an identity file and look at it first, take a link back."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode

from flask import request
from werkzeug.wrappers import Response

from connector.base.errors import Fatal
from connector.base.i18n import N_, say
from connector.web.console.common import connection_or_404, home_of, page, sync, to, who
from connector.web.console.session import blueprint, id_or_404
from connector.web.state import runtime
from sync.runs import people as joining
from sync.runs.handlers import request_plan
from sync.runs.identity_file import JoinPreview, join_by_file
from sync.store import proposals
from sync.store.connections import SyncConnection

MAX_FILE = 2 * 1024 * 1024
"""Bytes of an identity file: ten thousand pupils."""
_MAX_HELD = 700_000


@blueprint.post("/connections/<connection_id>/people/accept")
def accept_people(connection_id: str) -> Response:
    """Link the people of the ticked proposals, or of all that are not namesakes."""
    connection = connection_or_404(connection_id)
    ids = None if request.form.get("which") == "all" else request.form.getlist("proposal")
    if ids == []:
        return to(home_of(connection), "nothing_chosen")
    done = joining.accept(sync(), connection.school, connection.id, ids, who=who())
    if done.joined:
        request_plan(sync(), connection.school, connection.id, trigger="join")
    return to(home_of(connection), "refused_links" if done.refused else "joined", len(done.joined))


@blueprint.post("/connections/<connection_id>/people/reject")
def reject_people(connection_id: str) -> Response:
    """Set proposals aside: the ticked ones, or all of them."""
    connection = connection_or_404(connection_id)
    ids = request.form.getlist("proposal")
    if request.form.get("which") == "all":
        with sync().reading(connection.school) as db:
            ids = [one.id for one in proposals.of(db, connection.school, connection.id) if one.state == "proposed"]
    if not ids:
        return to(home_of(connection), "nothing_chosen")
    joining.reject(sync(), connection.school, connection.id, ids, who=who())
    return to(home_of(connection), "rejected", len(ids))


@blueprint.post("/connections/<connection_id>/people/part")
def part_people(connection_id: str) -> Response:
    """Take one link back."""
    connection = connection_or_404(connection_id)
    joining.part(sync(), connection.school, connection.id, id_or_404(request.form.get("person", "")), who=who())
    request_plan(sync(), connection.school, connection.id, trigger="join")
    return to(home_of(connection), "parted")


@blueprint.post("/connections/<connection_id>/people/file")
def identity_file(connection_id: str) -> Response:
    """Show line by line what an identity file would do; nothing of it is kept but in the page, sealed."""
    connection = connection_or_404(connection_id)
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        return to(home_of(connection), "nothing_chosen")
    data = upload.stream.read(MAX_FILE + 1)
    upload.close()
    if len(data) > MAX_FILE:
        raise Fatal("file_too_large", say(N_("The file is larger than 2 MB. Leave only the columns that join people.")))
    name = upload.filename[-100:]
    preview = join_by_file(sync(), connection.school, connection.id, data, name=name)
    return _preview(connection, preview, name, _seal(connection, name, data) if preview.usable else "")


@blueprint.post("/connections/<connection_id>/people/file/apply")
def apply_identity_file(connection_id: str) -> Response:
    """Link the people of the file that was just looked at: all of them or nobody."""
    connection = connection_or_404(connection_id)
    name, data = _unseal(connection, request.form.get("sealed", ""))
    done = join_by_file(sync(), connection.school, connection.id, data, name=name, who=who(), apply=True)
    if not done.applied:
        return _preview(connection, done, name, "", 409)
    request_plan(sync(), connection.school, connection.id, trigger="join")
    return to(home_of(connection), "joined", sum(not line.known for line in done.lines))


def _preview(connection: SyncConnection, preview: JoinPreview, name: str, sealed: str, status: int = 200) -> Response:
    findings = sorted(preview.findings, key=lambda one: (one.severity != "error", one.line or 0))
    fresh = [line for line in preview.lines if not line.known]
    values = {"preview": preview, "findings": findings, "fresh": fresh, "file_name": name, "sealed": sealed}
    return page("console/identity_file.html", status, connection=connection, **values)


def _seal(connection: SyncConnection, name: str, data: bytes) -> str:
    """Seal the file into the page: IINs stand in it, so nothing of it lies on the server between look and yes."""
    kept = {
        "for": "identity_file", "connection": connection.id, "school": connection.school, "name": name,
        "until": _now() + 1800, "data": b64encode(zlib.compress(data, 9)).decode(),
    }  # fmt: skip
    sealed = runtime().vault.seal(json.dumps(kept))
    if len(sealed) > _MAX_HELD:
        raise Fatal("file_too_large", say(N_("The file is larger than 2 MB. Leave only the columns that join people.")))
    return sealed


def _unseal(connection: SyncConnection, sealed: str) -> tuple[str, bytes]:
    gone = Fatal("file_gone", say(N_("The file was looked at too long ago. Choose it again.")))
    try:
        kept = json.loads(runtime().vault.open(sealed))
    except (Fatal, ValueError) as error:
        raise gone from error
    whose = ("identity_file", connection.id, connection.school)
    if not isinstance(kept, dict) or (kept.get("for"), kept.get("connection"), kept.get("school")) != whose:
        raise gone
    if kept["until"] < _now():
        raise gone
    return kept["name"], zlib.decompress(b64decode(kept["data"]))


def _now() -> int:
    return int(runtime().clock().timestamp())
