#!/bin/bash
# No cluster is in the image; a new one takes a table and answers over the network to the password alone.
set -eu
image=$1
name=test-postgresql-$$

docker run --rm --entrypoint /bin/bash "$image" -c '! compgen -G "/var/lib/postgresql/*/*" && test ! -e "$PGDATA"'
start='echo strands >/tmp/password; PGPASSWORD_FILE=/tmp/password exec start-postgresql'
memory=(--shm-size 256m -e PGDATA=/dev/shm/data)
docker run -d --name "$name" "${memory[@]}" --entrypoint /bin/bash "$image" -c "$start" >/dev/null
trap 'docker rm -f "$name" >/dev/null' EXIT

for _ in $(seq 100); do
    if docker exec "$name" psql -qc 'CREATE TABLE rope AS SELECT generate_series(1, 3) AS yarn' 2>/dev/null; then
        sum='psql -h 127.0.0.1 -U postgres -wAtc "SELECT sum(yarn) FROM rope"'
        test "$(docker exec -e PGPASSWORD=strands "$name" /bin/sh -c "$sum")" = 6
        if docker exec -e PGPASSWORD=wrong "$name" /bin/sh -c "$sum" 2>/dev/null; then
            echo "a wrong password was taken" >&2
            exit 1
        fi
        exit 0
    fi
    sleep 0.1
done
docker logs "$name" >&2
exit 1
