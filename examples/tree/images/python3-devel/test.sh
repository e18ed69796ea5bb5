#!/bin/bash
# Compiles an extension module and imports it.
set -eu
image=$1

answer=$(docker run -i --rm --entrypoint /bin/sh "$image" -eu <<'INSIDE'
cat >yarn.c <<'SOURCE'
#include <Python.h>
static PyObject *twist(PyObject *self, PyObject *number) { return PyNumber_Add(number, number); }
static PyMethodDef methods[] = {{"twist", twist, METH_O, ""}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "yarn", "", -1, methods};
PyMODINIT_FUNC PyInit_yarn(void) { return PyModule_Create(&module); }
SOURCE
gcc -shared -fPIC $(python3-config --includes) -o yarn.so yarn.c
python3 -c 'import yarn; print(yarn.twist(21))'
INSIDE
)
test "$answer" = 42
