"""Run by docker-pkg's own interpreter: ``docker-pkg update`` on a tree, without a daemon and without a registry.

Arguments: those of docker-pkg.
"""

import sys

import docker
from docker_pkg import cli


class Nobody:
    """A Docker daemon without images."""

    @property
    def images(self) -> "Nobody":
        return self

    def get(self, name: str) -> None:
        raise docker.errors.ImageNotFound(name)


if __name__ == "__main__":
    docker.from_env = lambda **_: Nobody()
    cli.main(cli.parse_args(sys.argv[1:]))
