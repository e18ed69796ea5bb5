#!/bin/bash
# Starts nginx as it runs in production and asks it over HTTP; the exit status is the verdict.
set -eu

/usr/sbin/nginx -e stderr -g 'daemon off;' &
server=$!
trap 'kill -QUIT "$server"' EXIT

ask() {
    exec 3<>/dev/tcp/127.0.0.1/8080
    printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
    cat <&3
}

for _ in $(seq 50); do
    if (ask /healthz) 2>/dev/null | grep -q '^ok'; then
        ask / | grep -q 'laid from yarn'
        ask /style.css | grep -q 'text/css'
        ask /missing | grep -q '404 Not Found'
        echo "static-site answers"
        exit 0
    fi
    sleep 0.2
done
echo "nginx did not answer on port 8080" >&2
exit 1
