"""A recipe's parents: every image that its rendered Dockerfile and its ``control`` name."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches

from ropewalk.errors import InputError
from ropewalk.oci import reference
from ropewalk.oci.reference import Reference
from ropewalk.recipe.config import Foreign, TreeConfig
from ropewalk.recipe.dockerfile import Dockerfile, Stage, expand, stage_values
from ropewalk.recipe.recipe import Forbidden, Parent, ParentRole

_FROM_IN_MOUNT = re.compile(r"(?:^|,)from=([^,]+)")
_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides whether an image may be a parent.

    Attributes:
        config: The tree's configuration: registry, aliases, allowed foreign images.
        known: Full names (``registry/namespace/name``) of recipes and base images.
        today: The day on which foreign images are judged; None allows none of them.
        where: The file that names the parents.
        places: Images to file and line, where a Dockerfile was made from another file.
        stages: The names of the Dockerfile's stages, which a foreign image's name may have meant.
    """

    config: TreeConfig
    known: Collection[str]
    today: date | None
    where: str
    places: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[str, ...] = ()

    def place(self, text: str, line: int) -> str:
        """Return file and line of an image's name."""
        return self.places.get(text, f"{self.where}:{line}")


def _named(dockerfile: Dockerfile) -> Iterator[tuple[str, int, bool]]:
    """Yield the images that a Dockerfile names, each with its line and whether it is the final one's."""
    final = _final(dockerfile)
    for index, stage in enumerate(dockerfile.stages):
        earlier = {item.alias for item in dockerfile.stages[:index] if item.alias}
        if stage.base.lower() not in earlier and stage.base != "scratch":
            yield stage.base, stage.line, stage is final
        for name, line in _copied(dockerfile, stage):
            known_stage = name.lower() in earlier or (name.isdigit() and int(name) < index)
            if not known_stage and name != "scratch":
                yield name, line, False


def _final(dockerfile: Dockerfile) -> Stage:
    """Return the stage whose ``FROM`` names the image below the last stage."""
    index = len(dockerfile.stages) - 1
    while True:
        stage = dockerfile.stages[index]
        earlier = [n for n in range(index) if dockerfile.stages[n].alias == stage.base.lower()]
        if not earlier:
            return stage
        index = earlier[-1]


def _copied(dockerfile: Dockerfile, stage: Stage) -> Iterator[tuple[str, int]]:
    """Yield what a stage's ``COPY --from`` and ``RUN --mount`` name, arguments put in."""
    values = stage_values(dockerfile, stage)
    for item in stage.instructions:
        for name, value in item.flags:
            if name == "from" and item.keyword in ("COPY", "ADD"):
                yield expand(value, values), item.line
            elif name == "mount" and (match := _FROM_IN_MOUNT.search(value)):
                yield expand(match[1], values), item.line


def _split(text: str, rules: Rules, line: int) -> tuple[Reference, str | None]:
    """Read a parent's reference.

    Returns:
        The reference, and its path below our registry; None where it is foreign.
    """
    where = rules.place(text, line)
    try:
        found = reference.parse(text)
    except InputError as error:
        hint = _meant(text, rules.stages) or error.hint
        raise InputError(f"`{text}` is no image: {error.message}", where=where, hint=hint) from error
    names = sorted(filter(None, (rules.config.registry, *rules.config.aliases)), key=len, reverse=True)
    path = next((found.name.removeprefix(f"{name}/") for name in names if found.name.startswith(f"{name}/")), None)
    if path is None and not rules.config.registry and found.name in rules.known:
        path = found.name
    if path is not None and found.digest:
        hint = "name its tag: Ropewalk pins every parent's digest when it builds, and renews it"
        raise InputError(f"`{text}` pins one of our own images", where=where, hint=hint)
    return found, path


def _parent(text: str, line: int, role: ParentRole, rules: Rules) -> Parent:
    found, path = _split(text, rules, line)
    tag = found.tag or ("" if found.digest else "latest")
    written = text if found.tag or found.digest else f"{text}:latest"
    if path is None:
        return Parent(written, found.name, None, tag, role, _judge(found, text, rules.place(text, line), rules))
    return Parent(written, "/".join(filter(None, (rules.config.registry, path))), path, tag, role)


def _names(found: Reference) -> tuple[str, str]:
    """Return a foreign image's full name, Docker Hub's put in where none is written, without and with tag or digest."""
    path = found.repository if found.registry or "/" in found.repository else f"library/{found.repository}"
    name = f"{found.registry or _HUB}/{path}"
    return name, f"{name}@{found.digest}" if found.digest else f"{name}:{found.tag or 'latest'}"


def _judge(found: Reference, text: str, where: str, rules: Rules) -> Forbidden | None:
    """Say why a foreign image is no parent today; None where the config allows it."""
    name, full = _names(found)
    entry = next((entry for entry in rules.config.foreign if _covers(entry, name, full)), None)
    if entry is None:
        file = rules.config.path or "config.yaml"
        hint = f"build on an image of your own, or allow it in {file} under `ropewalk.foreign` with image, reason, contact and expires"
        whose = f"not from {rules.config.registry or 'this tree'}"
        if "/" in text or found.tag or found.digest or not rules.stages:
            return Forbidden(f"{where}: `{text}` is {whose}", hint)
        return Forbidden(f"{where}: `{text}` is no stage above and {whose}", _meant(text, rules.stages) or hint)
    if rules.today is None or entry.expires < rules.today:
        hint = f"replace it, or ask {entry.contact} and set a later `expires` in {entry.where}"
        return Forbidden(f"{where}: `{text}` was allowed until {entry.expires} only", hint)
    return None


def _meant(text: str, stages: Sequence[str]) -> str:
    """Return the hint that names the stage which a word may have meant; empty where none is near."""
    if text.lower() in stages:
        return f"the stage `{text}` comes later: move it up"
    near = get_close_matches(text.lower(), stages, n=1)
    return f"did you mean the stage `{near[0]}`?" if near else ""


def _covers(entry: Foreign, name: str, full: str) -> bool:
    try:
        allowed = reference.parse(entry.image)
    except InputError as error:
        raise InputError(f"`{entry.image}` is no image", where=entry.where, hint=error.hint) from error
    plain, exact = _names(allowed)
    return full == exact if allowed.tag or allowed.digest else name == plain


def parents(dockerfile: Dockerfile, rules: Rules, build: Collection[str] = ()) -> tuple[Parent, ...]:
    """Find a recipe's parents.

    Args:
        dockerfile: The rendered Dockerfile.
        rules: What may be a parent.
        build: Further references that are needed to build (``control``).

    Returns:
        The final parent first (none for scratch), then the build parents in order, each once; foreign ones that the
        config does not allow today say why, so that a plan can tell and the rest of the tree goes on.

    Raises:
        InputError: One is no reference, or pins one of our images by digest.
    """
    rules = replace(rules, stages=tuple(stage.alias for stage in dockerfile.stages if stage.alias))
    first: list[Parent] = []
    others: dict[str, Parent] = {}
    for text, line, is_final in _named(dockerfile):
        role = ParentRole.FINAL if is_final else ParentRole.BUILD
        parent = _parent(text, line, role, rules)
        if is_final:
            first.append(parent)
        else:
            others.setdefault(parent.reference, parent)
    for text in build:
        parent = _parent(text, 1, ParentRole.BUILD, rules)
        if parent.repository not in {item.repository for item in (*first, *others.values())}:
            others.setdefault(parent.reference, parent)
    return (*first, *others.values())
