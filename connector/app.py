"""The web application: everything is wired here, and nothing else is done here."""

from __future__ import annotations

from flask import Flask, Response, send_file, send_from_directory
from werkzeug.middleware.proxy_fix import ProxyFix

from connector.base.config import load_settings
from connector.base.log import setup_logging
from connector.host.runtime import ROOT, Runtime, build_runtime
from connector.host.work import start_work
from connector.web import (
    console,
    errors,
    health,
    lti,
    notices,
    platform,
    platform_services,
    privacy,
    registration,
    shared,
)
from connector.web.dispatch import MAX_UPLOAD_BYTES
from connector.web.security import protect
from connector.web.state import attach, runtime
from lti.platform.storage import SCRIPT as STORAGE_SCRIPT


def create_app(runtime_: Runtime) -> Flask:
    """Make the application over a runtime; starts no thread and touches no table."""
    app = Flask("connector", root_path=str(ROOT / "connector"), static_folder="static", template_folder="templates")
    app.secret_key = runtime_.settings.secret_key
    app.config.update(MAX_CONTENT_LENGTH=MAX_UPLOAD_BYTES, MAX_FORM_MEMORY_SIZE=1024 * 1024)
    attach(app, runtime_)
    protect(app)
    errors.register(app)
    for room in (lti, notices, registration, privacy, console, health, platform, platform_services, shared):
        app.register_blueprint(room.blueprint)
    app.add_url_rule("/static/storage.js", "storage_script", lambda: send_file(STORAGE_SCRIPT, max_age=3600))
    app.add_url_rule("/static/p/<plugin_id>/<path:path>", "plugin_static", _plugin_static)
    hops = runtime_.settings.trusted_proxies
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _plugin_static(plugin_id: str, path: str) -> Response:
    """Serve a plugin's static file; the address carries its version, so that it may be kept long."""
    plugin = runtime().plugins.get(plugin_id)
    if plugin is None:
        return Response(status=404)
    return send_from_directory(plugin.manifest.package / "static", path, max_age=86_400)


def wsgi() -> Flask:
    """Make the application of one server process: settings from the environment, workers started beside it."""
    settings = load_settings()
    setup_logging(settings.log_level)
    here = build_runtime(settings)
    app = create_app(here)
    start_work(here)
    return app
