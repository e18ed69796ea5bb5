#!/bin/bash
# Makes a cluster where there is none, then serves it. A superuser's password is read from PGPASSWORD_FILE.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    password=()
    if [ -n "${PGPASSWORD_FILE:-}" ]; then
        password=(--pwfile "$PGPASSWORD_FILE")
    fi
    initdb --encoding=UTF8 --locale=C.UTF-8 --auth-local=peer --auth-host=scram-sha-256 "${password[@]}" >/dev/null
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec postgres -c listen_addresses='*' "$@"
