"""A guest book in memory."""

import flask

application = flask.Flask(__name__)
_lines: list[str] = []


@application.get("/")
def read() -> dict[str, list[str]]:
    """Return every line."""
    return {"lines": _lines}


@application.post("/")
def write() -> tuple[str, int]:
    """Keep a line."""
    _lines.append(flask.request.get_data(as_text=True))
    return "", 201
