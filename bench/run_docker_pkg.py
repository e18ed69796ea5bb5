"""docker-pkg as it is, run by its own interpreter; only its builds get the host's network.

The daemon of the bench has no bridge, so that it changes none of the host's addresses and packet rules; docker-pkg has no
setting for the network of a build.
"""

import functools

import docker.api.client
from docker_pkg import cli

docker.api.client.APIClient.build = functools.partialmethod(docker.api.client.APIClient.build, network_mode="host")

if __name__ == "__main__":
    cli.main()
