#!/bin/bash
# Runs the program with and without an argument.
set -eu
image=$1

test "$(docker run --rm "$image")" = "hello, rope"
test "$(docker run --rm "$image" yarn)" = "hello, yarn"
