"""Random images of real packages and instructions: what the property test of rebases builds. One seed, one set."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

_LISTS = Path(__file__).parent.parent / "assets" / "samples"
PACKAGES = tuple((_LISTS / "packages.txt").read_text(encoding="utf-8").split())
"""Quick to install (below 16 MB with all that they need), in Debian 12 and 13 alike."""
HEAVY = tuple((_LISTS / "heavy.txt").read_text(encoding="utf-8").split())
"""Larger ones whose triggers, hooks and scripts ask most of a rebase; one in ten samples has one."""

INSTALL = "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
_CLEAN = "rm -rf /var/lib/apt/lists/*"

_SIMPLE: tuple[str, ...] = (
    "COPY site /srv/site",
    "COPY changelog /etc/motd",
    "RUN groupadd -g 9001 app && useradd -r -M -g app -u 9001 app",
    "RUN useradd -r worker",
    "RUN useradd -m -u 9002 human && usermod -s /usr/sbin/nologin human",
    "RUN groupadd -r crew && usermod -a -G crew www-data",
    "RUN chmod a-s /usr/bin/passwd /usr/bin/chfn",
    "RUN chmod 0700 /usr/bin/perl",
    "RUN chmod -R go-w /etc",
    "RUN chown -R 33:33 /usr/share/doc/base-files",
    "RUN rm -rf /usr/share/doc/*",
    "RUN rm -rf /usr/share/man /usr/share/locale",
    "RUN rm -f /etc/motd /etc/issue",
    "RUN rm -f /usr/bin/perl /usr/sbin/chgpasswd",
    "RUN mkdir -p /srv/data && chown 33:33 /srv/data",
    "RUN ln -s /usr/bin/openssl /usr/local/bin/ssl",
    "RUN ln -sf /usr/share/zoneinfo/Europe/Berlin /etc/localtime",
    "RUN install -d -m 0750 -o 33 -g 33 /var/lib/app",
    "RUN install -m 0755 /usr/bin/perl /usr/local/bin/perl",
    "ENV MODE=production PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LABEL org.example.team=crew\nWORKDIR /srv\nUSER 33",
)
"""Instructions that compute nothing, or nothing but what their arguments say."""
_COMPUTED: tuple[str, ...] = (
    "RUN echo hello > /hello",
    "RUN dpkg -l > /packages.txt",
    "RUN dpkg-query -W -f '${Package}\\n' > /names.txt",
    "RUN sha256sum /usr/bin/* > /sums.txt 2>/dev/null || true",
    "RUN ls -1 /usr/lib > /libraries.txt",
    "RUN cp /etc/ssl/certs/ca-certificates.crt /srv/ca.pem || true",
    "RUN cp /usr/bin/perl /usr/local/bin/perl",
    "RUN cat /etc/ssl/certs/*.crt > /srv/bundle.pem || true",
    "RUN awk -F: '{ print $1 }' /etc/passwd > /users.txt",
    "RUN date -d @$SOURCE_DATE_EPOCH > /built",
    "RUN sed -i 's/^/# /' /etc/issue",
    "RUN echo 'umask 027' >> /etc/bash.bashrc",
    "RUN find /usr/share/doc -type f -delete",
    "RUN find / -xdev -perm -4000 -exec chmod a-s {} +",
    "RUN find /usr -name '*.pyc' -delete",
    "RUN mkdir -p /opt/lib && echo /opt/lib > /etc/ld.so.conf.d/opt.conf && ldconfig",
    "RUN gzip -9 -n -c /usr/share/common-licenses/GPL-3 > /srv/licence.gz",
    "RUN perl -V > /perl.txt",
    "RUN apt-get --version > /apt.txt",
    "RUN tar -cf /srv/etc.tar --mtime=@0 -C /etc issue",
    "RUN rm -f $(ls /usr/share/doc/*/changelog.gz)",
)
"""Commands that may compute anything."""
_PACKAGING: tuple[str, ...] = (
    f"RUN {INSTALL} --only-upgrade openssl libssl3 || true",
    "RUN apt-get update && apt-get -y upgrade",
    "RUN apt-get update && apt-get install -y --only-upgrade perl-base apt libsystemd0 libudev1",
    "RUN apt-get purge -y --allow-remove-essential sysvinit-utils e2fsprogs || true",
    "RUN apt-get purge -y --auto-remove ca-certificates",
    "RUN apt-mark manual openssl || true",
    "RUN dpkg-divert --local --rename --add /usr/bin/chsh",
    "RUN update-alternatives --set awk /usr/bin/mawk",
    "RUN update-alternatives --install /usr/bin/pager pager /usr/bin/less 5 || true",
    "RUN echo 'tzdata tzdata/Areas select Europe' | debconf-set-selections",
    "COPY site/own.crt /usr/local/share/ca-certificates/own.crt\nRUN update-ca-certificates || true",
)
"""What goes through dpkg and its friends."""
_PYTHON = (
    "RUN python3 -m venv --without-pip /opt/venv",
    "RUN python3 -m venv --copies --without-pip /opt/venv",
    "RUN python3 -m compileall -q /srv/site",
)
"""Needs Python, which is then installed."""

_KINDS: tuple[tuple[int, Callable[[Random], str]], ...] = (
    (45, lambda random: random.choice(_SIMPLE)),
    (30, lambda random: random.choice(_COMPUTED)),
    (18, lambda random: random.choice(_PACKAGING)),
    (7, lambda random: f"COPY site /srv/site\nRUN {INSTALL} python3-venv\n{random.choice(_PYTHON)}"),
)
_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIHfMIGSoAMCAQICAQcwBQYDK2VwMA8xDTALBgNVBAMMBFRlc3QwHhcNMjYwMTAx
MDAwMDAwWhcNMjYwMTEwMDAwMDAwWjAPMQ0wCwYDVQQDDARUZXN0MCowBQYDK2Vw
AyEA2wt4rX05Y1ZTBRNYB6/Yj+GPocQ9GYMLkKLKqKkv/b2jEzARMA8GA1UdEwEB
/wQFMAMBAf8wBQYDK2VwA0EAiRJB7uLhxJ8QMhsNoETLv9tz5fM3VU+MJd/P5gPe
HkCetQT+G3dBLLQWdbGKePvJ1cKnwJjp3//SswVHUJmrCw==
-----END CERTIFICATE-----
"""
"""An authority's certificate, always the same, so that a set goes on where it stopped."""

SERVICE = """\
version: v4
base: registry.example.org/{parent}:latest
lives: {{in: /srv/app}}
variants:
  production:
    copies: [{{from: local, source: site/, destination: ./}}]
    entrypoint: [/bin/true]
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A child of a base image and an image on that.

    Attributes:
        number: Which of the set.
        base: The base image's name.
        late: The child is built on the old base when the update is out already, so that it may converge with the new base.
        child: The instructions of the child.
        grandchild: Those of the image on it; empty for a service.
    """

    number: int
    base: str
    late: bool
    child: str
    grandchild: str

    @property
    def names(self) -> tuple[str, str]:
        """The two images' names."""
        return f"child-{self.number:03}", f"grandchild-{self.number:03}"


def draw(seed: int, number: int, bases: tuple[str, ...]) -> Sample:
    """Draw a sample; the same arguments give the same one.

    Args:
        seed: Of the whole set.
        number: Which of the set.
        bases: Names of base images to choose from.
    """
    random = Random(f"{seed}/{number}")  # noqa: S311  nothing secret
    base = random.choice(bases)
    late = random.random() < 0.6
    packages = random.sample(PACKAGES, random.choice((0, 1, 1, 2, 3, 4)))
    if random.random() < 0.1:
        packages.append(random.choice(HEAVY))
    child = [f"RUN {INSTALL} {' '.join(packages)} && {_CLEAN}"] if packages else []
    child += _instructions(random, random.choice((1, 1, 2) if not packages else (0, 1, 1, 2)))
    if random.random() < 0.2:
        return Sample(number, base, late, "\n".join(child), "")
    above = [f"RUN {INSTALL} {random.choice(PACKAGES)}"] if random.random() < 0.35 else []
    above += _instructions(random, random.choice((1, 1, 2)))
    return Sample(number, base, late, "\n".join(child), "\n".join(above))


def _instructions(random: Random, count: int) -> list[str]:
    chosen: list[str] = []
    for _ in range(count):
        (kind,) = random.choices([kind for _, kind in _KINDS], [weight for weight, _ in _KINDS])
        chosen.append(kind(random))
    # What sets a user comes last: later instructions need root.
    return sorted(dict.fromkeys(chosen), key=lambda text: "USER" in text)


FILES = {
    "site/index.html": "<h1>hello</h1>\n",
    "site/app.py": "import sys\n\nprint(sys.version_info)\n",
    "site/own.crt": _CERTIFICATE,
}
"""The files beside each Dockerfile."""
