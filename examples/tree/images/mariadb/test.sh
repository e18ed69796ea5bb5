#!/bin/bash
# No database is in the image; a new one takes a table and answers.
set -eu
image=$1
name=test-mariadb-$$

docker run --rm --entrypoint /bin/sh "$image" -c 'test -z "$(find /var/lib/mysql -name "ib*")"'
docker run -d --name "$name" --shm-size 256m -e MARIADB_DATA=/dev/shm/data "$image" >/dev/null
trap 'docker rm -f "$name" >/dev/null' EXIT

statements='CREATE DATABASE shed; USE shed; CREATE TABLE rope (yarn INT); INSERT INTO rope VALUES (1), (2), (3);
    SELECT SUM(yarn) FROM rope'
for _ in $(seq 150); do
    if docker exec "$name" mariadb -e 'SELECT 1' >/dev/null 2>&1; then
        test "$(docker exec "$name" mariadb -Ne "$statements")" = 6
        exit 0
    fi
    sleep 0.1
done
docker logs "$name" >&2
exit 1
