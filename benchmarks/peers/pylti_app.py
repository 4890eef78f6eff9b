"""PyLTI1p3's Flask tool as its README writes it: state and launch in Flask's signed cookie, nothing stored.

Two things are in its favour: the configuration is read once, and the page after the launch is one line.
Source: https://github.com/dmitry-viskov/pylti1.3#usage-with-flask
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask
from pylti1p3.contrib.flask import FlaskMessageLaunch, FlaskOIDCLogin, FlaskRequest
from pylti1p3.tool_config import ToolConfJsonFile

app = Flask(__name__)
app.secret_key = os.environ["PEER_SECRET"]
tool_conf = ToolConfJsonFile(os.environ["PEER_CONFIG"])


@app.route("/login", methods=["GET", "POST"])
def login() -> Any:
    """Begin a launch."""
    request = FlaskRequest()
    return FlaskOIDCLogin(request, tool_conf).redirect(request.get_param("target_link_uri"))


@app.route("/launch", methods=["POST"])
def launch() -> str:
    """Validate a launch and greet."""
    data = FlaskMessageLaunch(FlaskRequest(), tool_conf).get_launch_data()
    return f"Launched by {data['sub']}"
