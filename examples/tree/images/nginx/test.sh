#!/bin/bash
# Starts nginx and asks it for its page over HTTP.
set -eu
name=test-nginx-$$

docker run -d --rm --name "$name" "$1" >/dev/null
trap 'docker stop -t 2 "$name" >/dev/null' EXIT

ask='exec 3<>/dev/tcp/127.0.0.1/8080; printf "GET / HTTP/1.0\r\n\r\n" >&3; cat <&3'
for _ in $(seq 50); do
    if answer=$(docker exec "$name" /bin/bash -c "$ask" 2>/dev/null); then
        grep -q '200 OK' <<<"$answer"
        grep -q 'laid by Ropewalk' <<<"$answer"
        exit 0
    fi
    sleep 0.2
done
echo "nginx did not answer on port 8080" >&2
exit 1
