"""``token.php`` and ``certs.php``."""

from __future__ import annotations

import json

from flask import Blueprint, Response, jsonify, request

from lti.platform.errors import TokenRefused
from sync.twins.moodle.parts import Parts

_HTML = "text/html; charset=utf-8"


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes of the token endpoint and the public keys."""
    routes = Blueprint("oauth", __name__)

    @routes.post("/mod/lti/token.php")
    def token_php() -> Response:
        """Answer a token request; Moodle labels its JSON text/html, so the twin does."""
        try:
            granted = parts.platform.token(request.form.to_dict())
        except TokenRefused as refusal:
            return _refused(refusal)
        return Response(json.dumps(granted.body()), content_type=_HTML)

    @routes.get("/mod/lti/certs.php")
    def certs_php() -> Response:
        return jsonify(parts.platform.jwks())

    return routes


def _refused(refusal: TokenRefused) -> Response:
    if refusal.reason in ("jwks_unreachable", "jwks_unreadable"):
        page = "<!DOCTYPE html><html lang='en'><head><title>Error</title></head><body><h1>Error</h1></body></html>"
        return Response(page, status=404, content_type=_HTML)
    told = refusal.error
    if refusal.reason in ("no_kid", "bad_signature"):
        # The inner quotes are Moodle's own, and break its JSON.
        told = '"kid" invalid, unable to lookup correct key'
    elif refusal.reason in ("from_the_future", "expired"):
        told = str(refusal.message)
    return Response(f'{{\n  "error" : "{told}"\n}}\n', status=400, content_type=_HTML)
