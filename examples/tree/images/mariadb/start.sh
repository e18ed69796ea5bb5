#!/bin/bash
# Makes the databases where there are none, then serves them; inside the container the user mysql may do everything.
set -eu

data=${MARIADB_DATA:-/var/lib/mysql/data}
if [ ! -d "$data/mysql" ]; then
    mariadb-install-db --datadir="$data" --auth-root-authentication-method=socket --auth-root-socket-user=mysql \
        --skip-name-resolve --skip-test-db >/dev/null
fi
exec mariadbd --datadir="$data" "$@"
