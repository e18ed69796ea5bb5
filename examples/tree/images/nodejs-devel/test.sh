#!/bin/bash
# Packs a module with npm, installs the package without a network, and runs it.
set -eu
image=$1

answer=$(docker run -i --rm --entrypoint /bin/sh "$image" -eu <<'INSIDE'
mkdir strand rope
cat >strand/package.json <<'JSON'
{"name": "strand", "version": "1.0.0", "main": "index.js"}
JSON
echo 'module.exports = (yarns) => yarns.join("-");' >strand/index.js
cd strand
npm pack --silent --pack-destination=.. >/dev/null
cd ../rope
npm install --silent --offline --no-audit --no-fund ../strand-1.0.0.tgz >/dev/null
node -e 'console.log(require("strand")(["a", "b", "c"]))'
INSIDE
)
test "$answer" = a-b-c
