#!/bin/bash
# Counts up, and finds the number again after a restart.
set -eu
name=test-redis-$$

docker run -d --name "$name" "$1" >/dev/null
trap 'docker rm -f "$name" >/dev/null' EXIT

ask() {
    for _ in $(seq 50); do
        test "$(docker exec "$name" redis-cli ping 2>/dev/null)" = PONG && break
        sleep 0.1
    done
    docker exec "$name" redis-cli "$@"
}

test "$(ask incrby strands 3)" = 3
docker stop -t 5 "$name" >/dev/null
docker start "$name" >/dev/null
test "$(ask get strands)" = 3
