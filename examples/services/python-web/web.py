"""A small web application."""

import signal
import sys

import bottle

application = bottle.Bottle()


@application.get("/")
def index() -> str:
    """Greet the visitor."""
    return "python-web, laid by Ropewalk\n"


@application.get("/add/<left:int>/<right:int>")
def add(left: int, right: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": left + right}


if __name__ == "__main__":
    # The first process of a container ends by TERM only if it says so.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    bottle.run(application, host="0.0.0.0", port=8080, quiet=True)
