#!/bin/bash
# An application of three lines answers through Flask's own client; gunicorn can start.
set -eu
image=$1

answer=$(docker run -i --rm --entrypoint /usr/bin/python3 "$image" - <<'INSIDE'
import flask
application = flask.Flask("test")
application.route("/<int:number>")(lambda number: {"double": 2 * number})
print(application.test_client().get("/21").json["double"])
INSIDE
)
test "$answer" = 42
docker run --rm "$image" --version | grep -q '^gunicorn (version 20'
