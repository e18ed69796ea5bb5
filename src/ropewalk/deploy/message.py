"""The words of our commits: what people read, and trailers (git-interpret-trailers(1)) that say it again for us."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ropewalk.deploy.decide import Build, Verdict, named
from ropewalk.errors import InputError
from ropewalk.oci.reference import parse

_WAVE, _IMAGE, _BACK = "Ropewalk-Wave", "Ropewalk-Image", "Ropewalk-Rolled-Back"
_TRAILER = re.compile(rf"^(?P<key>{_WAVE}|{_IMAGE}|{_BACK}|Advisory): (?P<value>.+)$", re.MULTILINE)
_ADVISORY = re.compile(r"\b(?:CVE-[0-9]{4}-[0-9]{4,}|(?:DSA|DLA)-[0-9]+(?:-[0-9]+)?|TEMP-[0-9]{7}-[0-9A-F]{6})\b")
_MOST_IN_SUBJECT = 2


@dataclass(frozen=True, slots=True)
class Deployment:
    """An image that a commit of ours set or rolled back.

    Attributes:
        wave: The wave.
        image: ``registry/name:tag``.
        digest: The image's.
        commit: The commit.
        at: When, in seconds since 1970.
        rolled_back: It was rolled back.
        advisories: Why.
    """

    wave: str
    image: str
    digest: str
    commit: str
    at: int
    rolled_back: bool
    advisories: tuple[str, ...] = ()


def builds_of(changes: Sequence[Verdict]) -> tuple[Build, ...]:
    """Return the builds that changes set, each once, by name."""
    found = dict.fromkeys(change.target for change in changes if change.target is not None)
    return tuple(sorted(found, key=lambda build: build.reference))


def advisories_of(builds: Sequence[Build], given: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the advisories that are given, then those that the reasons of builds name.

    Args:
        builds: The builds.
        given: Ids that the user named.
    """
    named_in = (one for build in builds for one in advisories_in(build.reason))
    return tuple(dict.fromkeys((*given, *named_in)))


def advisories_in(text: str) -> tuple[str, ...]:
    """Return the advisories (CVE, DSA, DLA, the tracker's own) that a text names."""
    return tuple(_ADVISORY.findall(text))


def set_message(wave: str, changes: Sequence[Verdict], advisories: Sequence[str]) -> str:
    """Write the message of a wave's commit.

    Args:
        wave: Its name.
        changes: What it changes.
        advisories: Why.
    """
    builds = builds_of(changes)
    why = f" ({', '.join(advisories[:_MOST_IN_SUBJECT])}{', ...' if len(advisories) > _MOST_IN_SUBJECT else ''})"
    lines = [f"{wave}: {_names(builds)}{why if advisories else ''}", ""]
    lines += [_one_line(f"{change.place.path}: {_short(change)}") for change in changes]
    reasons = dict.fromkeys(
        _one_line(f"{build.repository.rpartition('/')[2]}: {build.reason}") for build in builds if build.reason
    )
    lines += ["", *reasons] if reasons else []
    trailers = [f"{_WAVE}: {wave}", *(f"{_IMAGE}: {build.pinned}" for build in builds)]
    return "\n".join([*lines, "", *trailers, *(f"Advisory: {one}" for one in advisories), ""])


def back_message(wave: str, builds: Sequence[str], commit: str, why: str) -> str:
    """Write the message of a commit that rolls a wave back.

    Args:
        wave: Its name.
        builds: What is rolled back: ``registry/name:tag@digest``.
        commit: The commit that set it.
        why: What the health command said.
    """
    subject = f"Roll back {wave}: {_names([_build(build) for build in builds])}"
    trailers = [f"{_WAVE}: {wave}", *(f"{_BACK}: {build}" for build in builds)]
    return "\n".join([subject, "", f"This reverts commit {commit}.", _one_line(f"Health: {why}"), "", *trailers, ""])


def with_change_id(message: str, seed: str) -> str:
    """Add the trailer by which Gerrit knows a change again.

    Args:
        message: A message that ends in trailers.
        seed: What the change is; the same seed gives the same change.
    """
    return f"{message}Change-Id: I{hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()}\n"


def mentioned(message: str) -> Iterator[tuple[Build, bool]]:
    """Return the builds that a message of ours names, each with whether it was rolled back."""
    for match in _TRAILER.finditer(message):
        if match["key"] in (_IMAGE, _BACK):
            try:
                yield _build(match["value"]), match["key"] == _BACK
            except InputError:
                continue


def deployments_in(message: str, commit: str, at: int) -> tuple[Deployment, ...]:
    """Return what a commit of ours did; nothing for any other.

    Args:
        message: Its words.
        commit: Its id.
        at: Its time in seconds since 1970.
    """
    said = [(match["key"], match["value"]) for match in _TRAILER.finditer(message)]
    wave = next((value for key, value in said if key == _WAVE), "")
    why = tuple(value for key, value in said if key == "Advisory")
    return tuple(
        Deployment(wave, build.reference, build.digest, commit, at, back, why)
        for build, back in mentioned(message)
        if wave
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _build(text: str) -> Build:
    reference = parse(text.strip())
    if not reference.tag or not reference.digest:
        raise InputError("names no tag and digest", where=text, hint="leave our commits' trailers as they are")
    return Build(reference.name, *named(reference.tag), reference.digest)


def _names(builds: Sequence[Build]) -> str:
    first = [f"{build.repository.rpartition('/')[2]} {build.tag}" for build in builds[:_MOST_IN_SUBJECT]]
    more = len(builds) - len(first)
    return ", ".join([*first, *([f"{more} more"] if more else [])])


def _short(change: Verdict) -> str:
    place, target = change.place, change.target
    new = target.tag if target is not None else ""
    return f"{place.name.rpartition('/')[2]} {place.tag or place.digest[:19]} -> {new}"
