#!/bin/bash
# A script on standard input, and a virtual environment with pip, as services make one.
set -eu
image=$1

answer=$(echo 'import ssl, sqlite3; print(6 * 7)' | docker run -i --rm "$image" -)
test "$answer" = 42
docker run --rm --entrypoint /bin/sh "$image" -c 'python3 -m venv /tmp/venv && /tmp/venv/bin/pip --version'
