#!/bin/bash
# A server and its client in one script on standard input.
set -eu
image=$1

answer=$(docker run -i --rm "$image" - <<'INSIDE'
const http = require('http');
const server = http.createServer((request, response) => response.end(request.url.slice(1)));
server.listen(0, '127.0.0.1', () => {
  http.get({ host: '127.0.0.1', port: server.address().port, path: '/strand' }, (response) => {
    response.pipe(process.stdout);
    response.on('end', () => server.close());
  });
});
INSIDE
)
test "$answer" = strand
