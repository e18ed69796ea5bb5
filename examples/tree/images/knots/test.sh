#!/bin/bash
# Starts the service and asks for a knot that it knows and for one that it does not.
set -eu
name=test-knots-$$

docker run -d --rm --name "$name" "$1" >/dev/null
trap 'docker stop -t 2 "$name" >/dev/null' EXIT

ask() {
    docker exec "$name" /bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080
        printf "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" "$0" >&3; cat <&3' "$1"
}

for _ in $(seq 50); do
    if ask / >/dev/null 2>&1; then
        ask '/knots/bowline' | grep -q '{"turns":2}'
        ask '/knots/granny' | grep -q '404 Not Found'
        exit 0
    fi
    sleep 0.1
done
echo "nothing answered on port 8080" >&2
exit 1
