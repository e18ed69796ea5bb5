"""Where versions of images stand in a deployment repository's files: found by meaning, changed by their very characters.

Helm values, kustomizations and plain manifests are composed, never dumped: a version is written over its own characters, so
that comments, order, quotes and line ends stay. A place's key names list items by their ``name``, so that it stays the same
where something is put in before it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import yaml

from ropewalk.errors import InputError
from ropewalk.oci.reference import Reference, is_digest, parse

_TAGS = ("tag", "version", "image_tag", "imageTag", "image_version", "imageVersion")
_PIN = re.compile(r"\bpinned\b|\bropewalk:\s*pin\b", re.IGNORECASE)
_COMMENT = re.compile(r"(?:^|\s)#\s*(.*)")
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
"""Anchor and tag, which a composed scalar's start includes."""
_LINE_END = re.compile(r"[\r\n]|\Z")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml")
_MERGE = "<<"
_NULL = "tag:yaml.org,2002:null"
_BOM = "\ufeff"
_TEMPLATE = "{{"


class Part(StrEnum):
    """What a scalar says of an image."""

    REFERENCE = "reference"
    """All: ``registry/name:tag@digest``."""
    TAG = "tag"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Spot:
    """A scalar that a new version is written over.

    Attributes:
        part: What it says.
        start: Its first character, quotes included.
        end: Behind its last.
        value: What it says now.
    """

    part: Part
    start: int
    end: int
    value: str


@dataclass(frozen=True, slots=True)
class Place:
    """A version of an image in a file.

    Attributes:
        path: The file, relative to the repository.
        line: Its line, counted from 1.
        key: What it is called: ``Deployment/web: spec.template.spec.containers[web].image``.
        name: ``registry/repository`` as written; without registry where the file names none.
        tag: As written; may be empty.
        digest: Likewise.
        namespace: Kubernetes' namespace, where the file names one.
        spots: What is written over.
        pin: The comment that pins it; empty where none does.
        obstacle: Why it cannot be changed; empty where it can.
    """

    path: str
    line: int
    key: str
    name: str
    tag: str
    digest: str
    namespace: str = ""
    spots: tuple[Spot, ...] = ()
    pin: str = ""
    obstacle: str = ""

    @property
    def version(self) -> tuple[str, str]:
        """Tag and digest."""
        return self.tag, self.digest

    @property
    def identity(self) -> tuple[str, str, str]:
        """What stays the same over versions of a file: file, key and image."""
        return self.path, self.key, self.name


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a file.

    Attributes:
        places: Where versions stand, in the file's order.
        trouble: Why it could not be read, with the line; empty where it could.
    """

    places: tuple[Place, ...]
    trouble: str = ""


def decoded(data: bytes) -> str | None:
    """Return a file's text, line ends as they are; None where it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def read(text: str, path: str, keys: Mapping[str, str] | None = None) -> Reading:
    """Find the versions in a file.

    Args:
        text: The file, line ends as they are.
        path: Its path in the repository.
        keys: Keys that hold a version alone, as ``mesh.image_version``, and the image that each is of.

    Returns:
        The places; none where the file is no YAML, which a Helm template mostly is not.
    """
    skip = text.startswith(_BOM)
    finder = _Finder(text, path, keys or {}, int(skip))
    try:
        for document in yaml.compose_all(text[skip:], yaml.CSafeLoader):
            if document is not None:
                finder.document(document)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or "nested too deeply"
        what = "is a template" if _TEMPLATE in text else f"is no YAML: {why}"
        return Reading((), f"{what} (line {mark.line + 1})" if mark else what)
    return Reading(tuple(_told_apart(finder.found)))


def _told_apart(places: Iterable[Place]) -> Iterator[Place]:
    """Number the places that share a name and a key."""
    seen: dict[tuple[str, str], int] = {}
    for place in places:
        number = seen[place.key, place.name] = seen.get((place.key, place.name), 0) + 1
        yield place if number == 1 else replace(place, key=f"{place.key} #{number}")


def rewritten(text: str, wanted: Iterable[tuple[Place, str, str]]) -> str:
    """Write versions over others.

    Args:
        text: The file.
        wanted: Places of this text, each with the new tag and digest; what a place does not have is not added.

    Returns:
        The text; every character outside the places' scalars is the same.

    Raises:
        ValueError: Two places that share a scalar (by an anchor) want different things of it.
    """
    edits: dict[tuple[int, int], str] = {}
    for place, tag, digest in wanted:
        for spot in place.spots:
            new = _token(text[spot.start : spot.end], _said(spot, tag, digest))
            if edits.setdefault((spot.start, spot.end), new) != new:
                raise ValueError(f"{place.path}:{place.line}: shares its value with another image")
    for (start, end), new in sorted(edits.items(), reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _said(spot: Spot, tag: str, digest: str) -> str:
    if spot.part is not Part.REFERENCE:
        return tag if spot.part is Part.TAG else digest
    old = parse(spot.value)
    return str(replace(old, tag=tag if old.tag else "", digest=digest if old.digest else ""))


def _token(old: str, new: str) -> str:
    """Write a scalar as the old one was: in its quotes, or plain where that is text in YAML."""
    if old[:1] in ("'", '"'):
        return f"{old[0]}{new}{old[0]}"
    return new if isinstance(yaml.load(new, yaml.CSafeLoader), str) else f'"{new}"'


@dataclass(frozen=True, slots=True)
class _Within:
    """What a document says of all that is in it."""

    label: str = ""
    namespace: str = ""
    kustomization: bool = False


_Entries = dict[str, tuple[yaml.Node, yaml.Node]]


def _entries(node: yaml.MappingNode, depth: int = 0) -> _Entries:
    """Return a mapping's entries by key, with those of merged mappings (``<<``) behind its own."""
    own: _Entries = {}
    merged: list[yaml.Node] = []
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value == _MERGE:
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        else:
            own[key.value] = (key, value)
    for other in merged:
        if isinstance(other, yaml.MappingNode) and depth < 8:  # noqa: PLR2004  # no honest file merges deeper
            own = {**_entries(other, depth + 1), **own}
    return own


def _scalar(entries: _Entries, *names: str) -> yaml.ScalarNode | None:
    """Return the first of some entries that is there and a scalar that says something."""
    found = (entries[name][1] for name in names if name in entries)
    return next((n for n in found if isinstance(n, yaml.ScalarNode) and n.value and n.tag != _NULL), None)


def _text(node: yaml.ScalarNode | None) -> str:
    return "" if node is None else str(node.value)


def _reference(text: str) -> Reference | None:
    if "://" in text or not text:
        return None
    try:
        return parse(text)
    except InputError:
        return None


@dataclass(frozen=True, slots=True)
class _At:
    """Where in a document a value stands.

    Attributes:
        key: Its key, with all above it.
        within: What the document says.
        above: The key node that holds it; None at the top.
    """

    key: str
    within: _Within
    above: yaml.Node | None = None

    @property
    def last(self) -> str:
        """The last word of the key; of a list's item, the list's."""
        return self.key.rpartition(".")[2].partition("[")[0]

    @property
    def is_image(self) -> bool:
        """Whether an image stands under such a key."""
        return self.last.lower().endswith(("image", "images"))


class _Finder:
    """Goes through composed documents and notes where versions stand."""

    def __init__(self, text: str, path: str, keys: Mapping[str, str], offset: int) -> None:
        self.found: list[Place] = []
        self._text, self._path, self._keys, self._offset = text, path, keys, offset
        self._seen: set[int] = set()
        self._kustomization = path.rpartition("/")[2] in _KUSTOMIZATIONS

    def document(self, node: yaml.Node) -> None:
        """Find what stands in one document."""
        self._seen.clear()  # an id is another node's once a document is gone; no anchor reaches out of its own
        self._walk(node, _At("", _Within(kustomization=self._kustomization)))

    def _walk(self, node: yaml.Node, at: _At) -> None:
        if id(node) in self._seen:  # reached by an alias: it stands where its anchor does
            return
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            entries = _entries(node)
            self._mapping(entries, replace(at, within=self._inner(entries, at.within)))
        elif isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                name = _text(_scalar(_entries(item), "name")) if isinstance(item, yaml.MappingNode) else ""
                self._value(item, replace(at, key=f"{at.key}[{name or number}]"))

    def _inner(self, entries: _Entries, within: _Within) -> _Within:
        """Return what a Kubernetes object says of what is in it."""
        kind, metadata = _text(_scalar(entries, "kind")), entries.get("metadata", (None, None))[1]
        if kind == "Kustomization" or (within.kustomization and not within.label):
            return _Within("Kustomization", _text(_scalar(entries, "namespace")), kustomization=True)
        if not kind or not isinstance(metadata, yaml.MappingNode):
            return within
        said = _entries(metadata)
        name, namespace = _text(_scalar(said, "name")), _text(_scalar(said, "namespace"))
        return _Within(f"{kind}/{name}", namespace or within.namespace)

    def _mapping(self, entries: _Entries, at: _At) -> None:
        used = self._parts(entries, at)
        for name, (key_node, value) in entries.items():
            if value not in used:
                self._value(value, _At(f"{at.key}.{name}".lstrip("."), at.within, key_node))

    def _value(self, node: yaml.Node, at: _At) -> None:
        if not isinstance(node, yaml.ScalarNode):
            self._walk(node, at)
        elif at.key in self._keys:
            self._add(at, self._keys[at.key], (node, None), node)
        elif _TEMPLATE in node.value and at.is_image:
            self._template(node, at)
        elif ":" in node.value and (found := _reference(node.value)) is not None and (found.tag or found.digest):
            self._whole(node, found, at)

    def _whole(self, node: yaml.ScalarNode, found: Reference, at: _At) -> None:
        """Note a reference; of text that only looks like one, that it is none's."""
        if not at.is_image and not found.registry:
            return
        place = self._place(at, found.name, (found.tag, found.digest), [(Part.REFERENCE, node)])
        why = "" if found.registry else "names no registry, so it is docker.io's"
        why = why if at.is_image else f"stands under `{at.last}`, which is no image's key"
        self.found.append(replace(place, obstacle=place.obstacle or why))

    def _template(self, node: yaml.ScalarNode, at: _At) -> None:
        """Note a reference whose version a Helm template fills in, as far as it names its image."""
        found = _reference(node.value.partition(_TEMPLATE)[0].rstrip(":@"))
        if found is not None and found.registry:
            self.found.append(self._place(at, found.name, ("", ""), [(Part.REFERENCE, node)]))

    def _parts(self, entries: _Entries, at: _At) -> tuple[yaml.Node, ...]:
        """Note an image whose name and version stand apart; return the nodes that it used."""
        if at.within.kustomization and at.key.startswith("images["):
            name, tag = _scalar(entries, "newName", "name"), _scalar(entries, "newTag")
        else:
            names = ("repository", "name", "image") if at.is_image else ("repository", "image")
            name, tag = _scalar(entries, *names), _scalar(entries, *_TAGS)
        digest = _scalar(entries, "digest")
        found = _reference(_text(name))
        if name is None or found is None or found.tag or found.digest or (tag is None and digest is None):
            return ()
        registry = _text(_scalar(entries, "registry")).rstrip("/")
        whole = f"{registry}/{found.name}" if registry and not found.registry else found.name
        self._add(at, whole, (tag, digest), name)
        return tuple(node for node in (name, tag, digest) if node is not None)

    def _add(
        self, at: _At, name: str, version: tuple[yaml.ScalarNode | None, yaml.ScalarNode | None], named: yaml.Node
    ) -> None:
        tag, digest = version
        parts = [(part, node) for part, node in ((Part.TAG, tag), (Part.DIGEST, digest)) if node is not None]
        self.found.append(self._place(at, name, (_text(tag), _text(digest)), parts, named))

    def _place(
        self,
        at: _At,
        name: str,
        version: tuple[str, str],
        parts: list[tuple[Part, yaml.ScalarNode]],
        named: yaml.Node | None = None,
    ) -> Place:
        spots = tuple(self._spot(part, node) for part, node in parts)
        beside = [node.end_mark.index + self._offset for node in (named, at.above) if node is not None]
        pins = (pin for end in (*(s.end for s in spots), *beside) for pin in self._comments(end) if _PIN.search(pin))
        within = at.within
        return Place(
            path=self._path,
            line=parts[0][1].start_mark.line + 1,
            key=f"{within.label}: {at.key}" if within.label and not within.kustomization else at.key,
            name=name,
            tag=version[0],
            digest=version[1],
            namespace=within.namespace,
            spots=spots,
            pin=next(pins, ""),
            obstacle=_obstacle(version[1], parts),
        )

    def _spot(self, part: Part, node: yaml.ScalarNode) -> Spot:
        start, end = node.start_mark.index + self._offset, node.end_mark.index + self._offset
        properties = _PROPERTIES.match(self._text, start, end)
        return Spot(part, properties.end() if properties else start, end, node.value)

    def _comments(self, end: int) -> Iterator[str]:
        """Return the comment behind a character in its line, and the one that fills the line above."""
        stop = _LINE_END.search(self._text, end)
        if stop and (behind := _COMMENT.search(self._text, end, stop.start())):
            yield behind[1].strip()
        start = max(self._text.rfind("\n", 0, end), 0)
        above = self._text[self._text.rfind("\n", 0, start) + 1 : start].strip()
        if above.startswith("#"):
            yield above.lstrip("# ")


def _obstacle(digest: str, parts: list[tuple[Part, yaml.ScalarNode]]) -> str:
    if any(_TEMPLATE in node.value for _, node in parts):
        return "is a template"
    if any(node.style in ("|", ">") for _, node in parts):
        return "is a block of text (| or >)"
    return f"`{digest}` is no digest" if digest and not is_digest(digest) else ""
