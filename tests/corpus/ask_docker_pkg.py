"""Run by docker-pkg's own interpreter: what its code makes of a tree, as JSON. No daemon and no registry are asked.

Arguments: the config file, the directory of recipes.
"""

import hashlib
import json
import sys
from pathlib import Path

import docker
from docker.utils.build import exclude_paths
from docker_pkg import builder, cli, dockerfile


class Nobody:
    """A Docker daemon without images: every recipe is to be built."""

    @property
    def images(self) -> "Nobody":
        return self

    def get(self, name: str) -> None:
        raise docker.errors.ImageNotFound(name)


def sent(image: builder.ImageFSM) -> dict[str, str]:
    """Return the files that would be sent to the daemon, with their hashes."""
    with image.image.build_environment() as place:
        lines = (Path(place) / ".dockerignore").read_text() if (Path(place) / ".dockerignore").exists() else ""
        patterns = [line for line in map(str.strip, lines.splitlines()) if line and not line.startswith("#")]
        files = (path for path in exclude_paths(place, patterns) if (Path(place) / path).is_file())
        return {path: hashlib.sha256((Path(place) / path).read_bytes()).hexdigest() for path in files}


def main() -> None:
    """Print the tree's images and the order in which docker-pkg would build them."""
    docker.from_env = lambda **_: Nobody()
    application = builder.DockerBuilder(sys.argv[2], cli.read_config(sys.argv[1]), pull=False)
    dockerfile.TemplateEngine.setup(application.config, application.known_images)
    application.scan(max_workers=1)
    images = [
        {
            "name": image.image.short_name,
            "reference": image.label,
            "depends": image.image.depends,
            "dockerfile": image.image.render_dockerfile(),
            "context": sent(image),
        }
        for image in application.all_images
    ]
    sys.stdout.write(json.dumps({"images": images, "order": [image.label for image in application.build_chain]}))


if __name__ == "__main__":
    main()
