# SPDX-License-Identifier: Apache-2.0
"""Notes by REST on Bottle: the content of a request as it is, ranges of a file, and a signed cookie."""

import os
import re

from bottle import Bottle, HTTPError, HTTPResponse, request, response, static_file

NOTES = os.environ["NOTES"]
application = Bottle()


def place(name: str) -> str:
    """The file of a note.  Raises HTTPError."""
    if not re.fullmatch(r"[a-z]+", name):
        raise HTTPError(400, "a name is small letters")
    return os.path.join(NOTES, name)


@application.get("/")
def index() -> dict[str, object]:
    """All of them, and how often this visitor has asked."""
    times = int(request.get_cookie("times", secret="known to this test alone") or 0) + 1
    response.set_cookie("times", str(times), secret="known to this test alone", httponly=True, path="/notes")
    return {"notes": sorted(os.listdir(NOTES)), "times": times, "script": request.script_name}


@application.put("/<name>")
def put(name: str) -> HTTPResponse:
    """Write a note: 201, or 204 if it was there."""
    status = 204 if os.path.exists(place(name)) else 201
    with open(place(name), "wb") as file:
        file.write(request.body.read())
    return HTTPResponse(status=status)


@application.get("/<name>")
def get(name: str) -> HTTPResponse:
    """Read a note, or a range of it."""
    return static_file(os.path.basename(place(name)), NOTES, mimetype="text/plain")


@application.delete("/<name>")
def delete(name: str) -> HTTPResponse:
    """Remove a note."""
    os.unlink(place(name))
    return HTTPResponse(status=204)
