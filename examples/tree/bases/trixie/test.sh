#!/bin/bash
# Nothing half installed, certificates present, no package lists or logs left behind.
set -eu
image=$1

docker run -i --rm "$image" /bin/sh -eu <<'INSIDE'
. /etc/os-release
test "$VERSION_CODENAME" = trixie
test "$LANG" = C.UTF-8
test -z "$(dpkg --audit)"
test -s /etc/ssl/certs/ca-certificates.crt
test -z "$(find /var/lib/apt/lists /var/log /var/cache/apt -type f)"
INSIDE
