#!/bin/sh
# The test that each of these images gets besides its own: it runs, and what it was made for answers.
set -eu
name=${1##*/}
line=${name%%:*}
image=$1
run() {
    program=$1
    shift
    docker run --rm --entrypoint "$program" "$image" "$@" 2>&1
}
case $line in
bullseye | bookworm | trixie) run /bin/sh -c '. /etc/os-release; echo "$VERSION_CODENAME"' | grep -x "$line" ;;
golang1.*) run go version | grep -F "go${line#golang}" ;;
httpd) run apache2 -v | grep -F Apache/2.4 ;;
nodejs12-slim) run node --version | grep -F v12. ;;
nodejs12-devel) run npm --version | grep . ;;
nutcracker) run nutcracker --version | grep -F nutcracker ;;
openjdk-*-jre) run java -version | grep -F "\"$(echo "$line" | cut -d- -f2)." ;;
openjdk-*-jdk) run javac -version | grep -F "javac $(echo "$line" | cut -d- -f2)." ;;
prometheus-apache-exporter) run prometheus-apache-exporter --version | grep -F version ;;
python3-build-*) run python3 -c 'import sysconfig; open(sysconfig.get_path("include") + "/Python.h")' ;;
python3-devel) run python3 -c 'import sysconfig; open(sysconfig.get_path("include") + "/Python.h")' ;;
python3-*) run python3 -c 'import venv, pip, sys; print(sys.version)' | grep -F 3. ;;
*) run /bin/true ;;
esac
