#!/bin/bash
# Starts php-fpm and asks for its page over FastCGI.
set -eu
name=test-php-fpm-$$
here=$(dirname "$0")

docker run -d --name "$name" "$1" >/dev/null
trap 'docker rm -f "$name" >/dev/null' EXIT

for _ in $(seq 50); do
    if answer=$(docker exec -i "$name" php <"$here/ask.php" | tr -d '\0'); then
        grep -q '{"length":6,"version":8}' <<<"$answer" && exit 0
    fi
    sleep 0.1
done
docker logs "$name" >&2
exit 1
