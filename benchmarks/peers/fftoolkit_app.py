"""ff-ltitoolkit with FastAPI as its adapter is meant to be used: state and launch in Starlette's signed cookie.

In its favour: the configuration is read once, and the page after the launch is one line.
Source: https://github.com/CNIT-Organization/ltitoolkit
"""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from ltitoolkit.core.tool_config import ToolConfJsonFile
from ltitoolkit.fastapi import FastApiMessageLaunch, FastApiOIDCLogin, FastApiRequest
from starlette.middleware.sessions import SessionMiddleware

app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key=os.environ["PEER_SECRET"])
tool_conf = ToolConfJsonFile(os.environ["PEER_CONFIG"])


@app.api_route("/login", methods=["GET", "POST"])
async def login(request: Request) -> Any:
    """Begin a launch."""
    asked = await FastApiRequest.from_request(request)
    return FastApiOIDCLogin(asked, tool_conf).redirect(asked.get_param("target_link_uri"))


@app.post("/launch")
async def launch(request: Request) -> Any:
    """Validate a launch and greet."""
    message = FastApiMessageLaunch(await FastApiRequest.from_request(request), tool_conf)
    await message.validate_async()
    return PlainTextResponse(f"Launched by {message.get_launch_data()['sub']}")
