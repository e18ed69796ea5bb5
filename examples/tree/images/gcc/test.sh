#!/bin/bash
# Compiles a program and runs it.
set -eu
image=$1

program='#include <stdio.h>
int main(void) { return printf("compiled\n") == 9 ? 0 : 1; }'
answer=$(docker run -i --rm "$image" /bin/sh -c 'gcc -Wall -x c -o /tmp/program - && /tmp/program' <<<"$program")
test "$answer" = compiled
