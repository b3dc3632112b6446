# SPDX-License-Identifier: Apache-2.0
"""A message board on Flask: a session, a form with a redirect, an upload, a stream, and a file by wsgi.file_wrapper."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator

from flask import Flask, Response, redirect, render_template_string, request, send_file, session, url_for

BOARD = os.environ["BOARD"]
PAGE = """<!doctype html><title>Board</title><p>{{ name or "nobody" }}</p>
<ul>{% for author, text in messages %}<li>{{ author }}: {{ text }}</li>{% endfor %}</ul>"""

application = Flask(__name__)
application.secret_key = b"known to this test alone"


def messages() -> list[list[str]]:
    """What has been written so far: author and text."""
    if not os.path.exists(BOARD):
        return []
    with open(BOARD) as board:
        fcntl.flock(board, fcntl.LOCK_SH)
        return [json.loads(line) for line in board]


@application.get("/")
def index() -> str:
    """The board."""
    return render_template_string(PAGE, name=session.get("name"), messages=messages())


@application.post("/sign-in")
def sign_in() -> Response:
    """A name into the session."""
    session["name"] = request.form["name"]
    return redirect(url_for("index"), 303)


@application.post("/write")
def write() -> Response:
    """A message; only with a session."""
    if "name" not in session:
        return Response("sign in first\n", 403)
    with open(BOARD, "a") as board:
        fcntl.flock(board, fcntl.LOCK_EX)
        board.write(json.dumps([session["name"], request.form["text"]]) + "\n")
    return redirect(url_for("index"), 303)


@application.post("/upload")
def upload() -> dict[str, object]:
    """What arrived: name, size and digest of a file in a form."""
    file = request.files["file"]
    content = file.stream.read()
    return {"name": file.filename, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@application.post("/digest")
def digest() -> dict[str, object]:
    """The same of the bare content, read piece by piece."""
    sum_, size = hashlib.sha256(), 0
    while part := request.stream.read(65536):
        sum_.update(part)
        size += len(part)
    return {"size": size, "sha256": sum_.hexdigest(), "length": request.content_length}


@application.get("/stream/<int:count>")
def stream(count: int) -> Response:
    """``count`` lines, whose length nobody announces."""

    def lines() -> Iterator[str]:
        for number in range(count):
            yield f"line {number}\n"

    return Response(lines(), mimetype="text/plain")


@application.get("/source")
def source() -> Response:
    """This file: conditional, by ranges, and through wsgi.file_wrapper where the server has one."""
    return send_file(__file__, mimetype="text/x-python", conditional=True)


@application.get("/visit")
def visit() -> dict[str, object]:
    """What Flask makes of the request."""
    return {
        "url": request.url,
        "address": request.remote_addr,
        "user": request.remote_user,
        "wrapper": "wsgi.file_wrapper" in request.environ,
        "pid": os.getpid(),
    }


@application.get("/fails")
def fails() -> str:
    """Flask's own 500."""
    raise LookupError("told to fail")
