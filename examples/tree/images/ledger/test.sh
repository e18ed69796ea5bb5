#!/bin/bash
# Adds two lengths of rope and reads the sum.
set -eu
name=test-ledger-$$

docker run -d --rm --name "$name" "$1" >/dev/null
trap 'docker stop -t 2 "$name" >/dev/null' EXIT

ask() {
    docker exec "$name" /bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080
        printf "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" "$0" >&3; cat <&3' "$1"
}

for _ in $(seq 50); do
    if ask / >/dev/null 2>&1; then
        ask '/add/40' | grep -q '^fathoms: 40'
        ask '/add/2' | grep -q '^fathoms: 42'
        exit 0
    fi
    sleep 0.1
done
echo "nothing answered on port 8080" >&2
exit 1
