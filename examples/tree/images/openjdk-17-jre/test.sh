#!/bin/bash
# The runtime knows Debian's certificate authorities, and makes and reads a key of its own.
set -eu
image=$1

# Each JVM lives for a moment: it need not be made fast.
quick="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
docker run -i --rm -e JAVA_TOOL_OPTIONS="$quick" --entrypoint /bin/sh "$image" -eu <<'INSIDE'
java -version 2>&1 | grep -q 'version "17'
test "$(keytool -list -cacerts -storepass changeit | grep -c trustedCertEntry)" -gt 100
key='-keystore /tmp/test.p12 -storepass strands -alias rope'
keytool -genkeypair $key -keyalg EC -dname CN=rope 2>/dev/null
keytool -list $key | grep -q PrivateKeyEntry
INSIDE
