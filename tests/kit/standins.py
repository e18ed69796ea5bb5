"""Small images that stand for those of the public tree that cannot be made here, so that the tree's own tests run.

Everything of the recipe stays as it is, its ``test.sh`` above all; only ``Dockerfile.template`` is another one, on plain
Debian, with shell or Perl scripts in place of the programs that are missing.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_BOOKWORM = "FROM {{ registry }}/bookworm:latest\n"
_SERVER = """\
#!/bin/bash
test -s /etc/mcrouter/config.json || exit 1
echo ready >/tmp/ready
trap exit TERM
while :; do sleep 1; done
"""
_HEALTHZ = "#!/bin/bash\nfor _ in $(seq 100); do test -e /tmp/ready && exit 0; sleep 0.1; done\nexit 1\n"
_ENVSUBST = "#!/usr/bin/perl -p\ns/\\$\\{(\\w+)\\}/$ENV{$1}/g;\n"
_ENVOY = """\
#!/bin/bash
test "$1 $3 $4" = "-c --mode validate" && grep -qx 'service: test:1234' "$2"
"""
_BENTHOS = '#!/bin/bash\ntest "$1" = -c && grep -q stdin "$2" && exec cat\n'
_COREDNS = "#!/bin/bash\ntest \"$*\" = -plugins && printf '%s'\n"


@dataclass(frozen=True, slots=True)
class StandIn:
    """What takes the place of a recipe's ``Dockerfile.template``.

    Attributes:
        directory: The recipe, below the tree.
        template: The Dockerfile; where it is empty, the tree's own from the last ``FROM`` on.
        files: Programs that it copies: name -> text.
        lacks: What the tree's own Dockerfile needs that is not here.
    """

    directory: str
    lacks: str
    template: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    def write(self, tree: Path, into: Path) -> None:
        """Write the recipe.

        Args:
            tree: The public tree.
            into: The root of the tree to make.
        """
        place = into / self.directory
        shutil.copytree(tree / self.directory, place)
        own = (place / "Dockerfile.template").read_text("utf-8")
        text = self.template or own[own.rindex("\nFROM ") + 1 :].replace("--from=build /go/glogger/", "")
        (place / "Dockerfile.template").write_text(text)
        for name, content in self.files.items():
            (place / name).write_text(content)
            (place / name).chmod(0o755)


def _envoy(name: str, lacks: str) -> StandIn:
    copies = "COPY envsubst envoy /usr/bin/\nCOPY envoy.yaml.tpl /etc/envoy/\nRUN chown -R 65534 /etc/envoy\n"
    text = f'{_BOOKWORM}{copies}USER {{{{ "nobody" | uid }}}}\nENTRYPOINT ["/bin/false"]\n'
    template = "service: ${SERVICE_NAME}:${SERVICE_PORT}\n"
    return StandIn(f"images/{name}", lacks, text, {"envsubst": _ENVSUBST, "envoy": _ENVOY, "envoy.yaml.tpl": template})


def _coredns(version: str, plugins: str) -> StandIn:
    text = f'{_BOOKWORM}COPY coredns /usr/bin/\nUSER {{{{ "nobody" | uid }}}}\nENTRYPOINT ["/bin/false"]\n'
    return StandIn(f"images/coredns/{version}", "CoreDNS's source from GitHub", text, {"coredns": _COREDNS % plugins})


STAND_INS = (
    StandIn(
        "images/mcrouter",
        "mcrouter, not in Debian",
        f'{_BOOKWORM}COPY healthz entrypoint /bin/\nUSER {{{{ "mcrouter" | uid }}}}\nCMD ["/bin/entrypoint"]\n',
        {"healthz": _HEALTHZ, "entrypoint": _SERVER},
    ),
    StandIn(
        "images/php/8.5/cli",
        "PHP 8.5, not in Debian",
        f'{_BOOKWORM}USER {{{{ "www-data" | uid }}}}\nCMD ["/bin/bash", "-c", "echo hello, world"]\n',
    ),
    _envoy("envoy", "envoyproxy, not in Debian"),
    _envoy("envoy-future", "envoyproxy, not in Debian"),
    _coredns("v1.11", r"  dns.kubeapi\n  dns.kubepods\n  dns.kubernetes\n  dns.log\n"),
    _coredns("v1.12", r"kubeapi\nkubepods\nkubernetes\nlog\n"),
    StandIn(
        "images/benthos",
        "benthos, not in Debian",
        f'{_BOOKWORM}COPY benthos /usr/bin/\nUSER {{{{ "nobody" | uid }}}}\nENTRYPOINT ["/usr/bin/benthos"]\n',
        {"benthos": _BENTHOS},
    ),
    # All of it is Debian's but the logger, which is fetched from a forge.
    StandIn(
        "images/httpd-fcgi", "glogger's source from a forge", files={"glogger": "#!/bin/sh\nexec cat >/dev/null\n"}
    ),
)
"""One for each of the eight recipes of the public tree that have a ``test.sh``."""
