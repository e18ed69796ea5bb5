"""The files of a new tree. ``@REGISTRY@``, ``@AUTHOR@`` and ``@DATE@`` are put in."""

CONFIG = """\
# The registry's name, in recipes, signatures and policies. Where it answers is said below `ropewalk: endpoint`, or by
# `--registry URL`, so that an address never changes an image.
registry: @REGISTRY@

# Images name their base by this entry, so that a new version of the base does not touch their recipes.
base_images:
  - @REGISTRY@/bookworm:latest

# Users that images run as get the same number everywhere.
known_uid_mappings:
  root: 0
  www-data: 33
  nobody: 65534
force_numeric_user: true

# Where the recipes of this config are. A tree may hold several: another config-NAME.yaml names directories of its own.
ropewalk:
  directories: [bases, images]
"""

BASE = """\
name: bookworm
version: 12-1
suites: [bookworm, bookworm-updates, bookworm-security]
components: [main]
packages: [ca-certificates]
env:
  LANG: C.UTF-8
"""

BASE_TEST = """\
#!/bin/sh
# Called with the image's full name; `docker` is on the PATH and runs what was built.
set -eu
docker run -i --rm "$1" /bin/sh -eu <<'INSIDE'
. /etc/os-release
test "$VERSION_CODENAME" = bookworm
test -z "$(dpkg --audit)"
test -s /etc/ssl/certs/ca-certificates.crt
INSIDE
"""

TEMPLATE = """\
FROM {{ "bookworm" | image_tag }}

RUN {{ "nginx-light" | apt_install }}

COPY nginx.conf /etc/nginx/nginx.conf
COPY index.html /srv/www/index.html

USER {{ "www-data" | uid }}
EXPOSE 8080
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/usr/sbin/nginx", "-e", "stderr", "-g", "daemon off;"]
"""

CHANGELOG = """\
web (1.0-1) bookworm; urgency=medium

  * A page on port 8080, served by nginx without root.

 -- @AUTHOR@  @DATE@
"""

NGINX = """\
pid /tmp/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    server {
        listen 8080;
        root /srv/www;
    }
}
"""

PAGE = """\
<!DOCTYPE html>
<title>web</title>
<p>It works.</p>
"""

TEST = """\
#!/bin/bash
# Starts the image and asks it for its page.
set -eu
name=test-web-$$
docker run -d --rm --name "$name" "$1" >/dev/null
trap 'docker stop -t 2 "$name" >/dev/null' EXIT

ask='exec 3<>/dev/tcp/127.0.0.1/8080; printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3'
for _ in $(seq 50); do
    if answer=$(docker exec "$name" /bin/bash -c "$ask" 2>/dev/null); then
        grep -q 'It works' <<<"$answer"
        exit 0
    fi
    sleep 0.2
done
echo "nginx did not answer on port 8080" >&2
exit 1
"""

README = """\
# Images of @REGISTRY@

| directory | holds |
| --- | --- |
| `bases/` | base images: `base.yaml` says of which packages, `test.sh` tries the image |
| `images/` | production images: `Dockerfile.template`, `changelog` (name and version), `test.sh` |
| `config.yaml` | the registry's name, users' numbers, base images, where recipes are |

```console
git init -b main; git add .; git commit -m "A new tree"
ropewalk archive view          # record the Debian archive as it is now
ropewalk plan                  # what would happen, and why
ropewalk build                 # build and test
ropewalk tree check            # what is wrong, with file and line
ropewalk update web --reason "Why it changes"
ropewalk prune                 # old images that could go; --apply removes them
```

A published version never changes: whoever changes an image adds a changelog entry, with `ropewalk update` or by hand.

## Before a merge

`ropewalk tree check --since main` looks at a change and runs nothing of it; `ropewalk tree preview --since main` builds and
tests what it affects and throws it away. CI does both: `.gitlab-ci.yml` on GitLab, `.forgejo/workflows/tree.yaml` on
Forgejo, on runners with the tag `ropewalk` where Ropewalk is installed. With plain git, copy `hooks/pre-receive` into the
hooks of the bare repository. All of them look at each `config*.yaml`, whose `ropewalk: directories` says which recipes are
its own. Delete what you do not use.
"""

GITLAB = """\
# A merge request is checked, then built in scratch. Runners tagged `ropewalk` have Ropewalk and root, and hold no keys.
stages: [check, preview]

default:
  tags: [ropewalk]

variables:
  GIT_DEPTH: "0"

workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"

check:
  stage: check
  script:
    - for config in config*.yaml; do ropewalk -c "$config" tree check --since "$CI_MERGE_REQUEST_DIFF_BASE_SHA" || failed=yes; done
    - test -z "${failed:-}"

preview:
  stage: preview
  resource_group: preview
  script:
    - ropewalk archive view
    - for config in config*.yaml; do ropewalk -c "$config" tree preview --since "$CI_MERGE_REQUEST_DIFF_BASE_SHA" || failed=yes; done
    - test -z "${failed:-}"
"""

FORGEJO = """\
# A pull request is checked, then built in scratch. Runners labelled `ropewalk` have Ropewalk and root, and hold no keys.
on: [pull_request]

jobs:
  check:
    runs-on: ropewalk
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - run: |
          for config in config*.yaml; do ropewalk -c "$config" tree check --since "origin/$BASE" || failed=yes; done
          test -z "${failed:-}"
        env:
          BASE: ${{ github.base_ref }}
  preview:
    runs-on: ropewalk
    needs: check
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - run: ropewalk archive view
      - run: |
          for config in config*.yaml; do ropewalk -c "$config" tree preview --since "origin/$BASE" || failed=yes; done
          test -z "${failed:-}"
        env:
          BASE: ${{ github.base_ref }}
"""

HOOK = """\
#!/bin/sh
# Plain git: copy this to hooks/pre-receive of the bare repository. A push that `ropewalk tree check` refuses does not land.
set -eu
new_objects=${GIT_OBJECT_DIRECTORY:-}
all_objects=$(cd "$(git rev-parse --git-dir)" && pwd)/objects
before=$(git rev-parse --quiet --verify HEAD || true)
status=0

# One checkout for each branch that is pushed: git keeps what was pushed apart until this hook has agreed.
look() {
    place=$1 commit=$2 since=$3
    unset $(git rev-parse --local-env-vars) GIT_QUARANTINE_PATH
    git init -q --template= "$place"
    mkdir -p "$place/.git/objects/info"
    printf '%s\\n' "$all_objects" ${new_objects:+"$new_objects"} >"$place/.git/objects/info/alternates"
    cd "$place"
    git -c advice.detachedHead=false checkout -q "$commit"
    for config in config*.yaml; do
        ropewalk -q -c "$config" tree check ${since:+--since "$since"} --offline || failed=yes
    done
    test -z "${failed:-}"
}

while read -r old new ref; do
    case $ref in refs/heads/*) ;; *) continue ;; esac
    case $new in *[!0]*) ;; *) continue ;; esac
    case $old in *[!0]*) since=$old ;; *) since=$before ;; esac
    place=$(mktemp -d)
    (look "$place" "$new" "$since" </dev/null) >&2 || status=1
    rm -rf "$place"
done
exit $status
"""

FILES = {
    "README.md": README,
    "config.yaml": CONFIG,
    "bases/bookworm/base.yaml": BASE,
    "bases/bookworm/test.sh": BASE_TEST,
    "images/web/Dockerfile.template": TEMPLATE,
    "images/web/changelog": CHANGELOG,
    "images/web/index.html": PAGE,
    "images/web/nginx.conf": NGINX,
    "images/web/test.sh": TEST,
    ".gitlab-ci.yml": GITLAB,
    ".forgejo/workflows/tree.yaml": FORGEJO,
    "hooks/pre-receive": HOOK,
}
"""Path to text."""

PROGRAMS = frozenset({"bases/bookworm/test.sh", "images/web/test.sh", "hooks/pre-receive"})
"""Those that may be run."""
