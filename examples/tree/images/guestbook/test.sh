#!/bin/bash
# Writes a line into the guest book and reads it again over HTTP.
set -eu
name=test-guestbook-$$

docker run -d --rm --name "$name" "$1" >/dev/null
trap 'docker stop -t 2 "$name" >/dev/null' EXIT

docker exec -i "$name" /usr/bin/python3 - <<'INSIDE'
import json, time, urllib.error, urllib.request

address = "http://127.0.0.1:8080/"
for _ in range(50):
    try:
        urllib.request.urlopen(urllib.request.Request(address, data=b"laid in three strands"), timeout=5)
        break
    except urllib.error.URLError:
        time.sleep(0.1)
assert json.load(urllib.request.urlopen(address, timeout=5)) == {"lines": ["laid in three strands"]}
INSIDE
