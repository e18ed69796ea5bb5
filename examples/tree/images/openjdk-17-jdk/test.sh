#!/bin/bash
# Compiles a class, packs it, and runs the archive.
set -eu
image=$1

answer=$(docker run -i --rm "$image" /bin/sh -eu <<'INSIDE'
cat >Lay.java <<'SOURCE'
import java.util.stream.IntStream;

record Lay(int strands) {
    public static void main(String[] words) {
        System.out.println(new Lay(IntStream.range(0, 3).sum()).strands());
    }
}
SOURCE
javac Lay.java
jar --create --file lay.jar --main-class Lay Lay.class
java -jar lay.jar
INSIDE
)
test "$answer" = 3
