#!/bin/bash
# Starts the exporter and reads its figures.
set -eu
name=test-prometheus-apache-exporter-$$

docker run -d --rm --name "$name" "$1" >/dev/null
trap 'docker stop -t 2 "$name" >/dev/null' EXIT

ask() {
    docker exec "$name" /bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/9117
        printf "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" "$0" >&3; cat <&3' "$1"
}

for _ in $(seq 50); do
    if ask / >/dev/null 2>&1; then
        ask '/metrics' | grep -q '^apache_up 0'
        ask '/metrics' | grep -q '^apache_exporter_build_info'
        exit 0
    fi
    sleep 0.1
done
echo "nothing answered on port 9117" >&2
exit 1
