#!/bin/bash
# Keeps a value and gives it back.
set -eu
name=test-memcached-$$

docker run -d --rm --name "$name" "$1" >/dev/null
trap 'docker stop -t 2 "$name" >/dev/null' EXIT

ask='exec 3<>/dev/tcp/127.0.0.1/11211; printf "set rope 0 60 4\r\nyarn\r\nget rope\r\nquit\r\n" >&3; cat <&3'
for _ in $(seq 50); do
    if answer=$(docker exec "$name" /bin/bash -c "$ask" 2>/dev/null); then
        test "$answer" = $'STORED\r\nVALUE rope 0 4\r\nyarn\r\nEND\r'
        exit 0
    fi
    sleep 0.1
done
echo "memcached did not answer on port 11211" >&2
exit 1
