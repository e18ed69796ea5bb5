#!/bin/bash
# Compiles a program of several goroutines and runs it.
set -eu
image=$1

answer=$(docker run -i --rm "$image" /bin/sh -eu <<'INSIDE'
cat >lay.go <<'SOURCE'
package main

func main() {
	yarns := make(chan int)
	for yarn := 0; yarn < 3; yarn++ {
		go func(yarn int) { yarns <- yarn }(yarn)
	}
	println(<-yarns + <-yarns + <-yarns)
}
SOURCE
go build -o lay lay.go
./lay 2>&1
INSIDE
)
test "$answer" = 3
