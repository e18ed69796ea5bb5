"""Debian packages that one test alone needs."""

import os
import subprocess


def install(package: str) -> None:
    """Install a package where it is missing, without what it recommends."""
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    if subprocess.run(query, check=False, capture_output=True).stdout == b"installed":
        return
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (("update", "-qq"), ("install", "-qq", "--yes", "--no-install-recommends", package)):
        subprocess.run(["apt-get", *words], check=True, env=variables, stdout=subprocess.DEVNULL)
