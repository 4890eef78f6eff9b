"""The floor under any launch in Python: two Flask requests that read their forms and redirect, and nothing else."""

from __future__ import annotations

from flask import Flask, redirect, request
from werkzeug.wrappers import Response

app = Flask(__name__)


@app.post("/login")
def login() -> Response:
    """Redirect to the LMS with a state and a nonce that mean nothing."""
    request.form.to_dict()
    return redirect("https://lms.example/auth?state=none&nonce=none", 302)


@app.post("/launch")
def launch() -> Response:
    """Read the form and redirect."""
    request.form.to_dict()
    return redirect("/", 303)
