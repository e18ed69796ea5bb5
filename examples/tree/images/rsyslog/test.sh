#!/bin/bash
# Sends messages over TCP and UDP and finds them in what rsyslog writes.
set -eu
name=test-rsyslog-$$

docker run --rm "$1" -N1 2>/dev/null
docker run -d --name "$name" "$1" >/dev/null
trap 'docker rm -f "$name" >/dev/null' EXIT

send='echo "<14>Nov 24 10:00:00 shed rope: laid by $0" >/dev/$0/127.0.0.1/10514'
for _ in $(seq 50); do
    docker exec "$name" /bin/bash -c "$send" tcp 2>/dev/null && docker exec "$name" /bin/bash -c "$send" udp
    lines=$(docker logs "$name" 2>&1)
    grep -q 'shed rope: laid by tcp' <<<"$lines" && grep -q 'shed rope: laid by udp' <<<"$lines" && exit 0
    sleep 0.1
done
echo "the messages did not arrive: $lines" >&2
exit 1
