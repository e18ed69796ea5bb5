from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.errors import InputError
from ropewalk.recipe.service.merge import merge, resolve
from ropewalk.recipe.service.schema import (
    Account,
    Artifact,
    Blubber,
    Builder,
    Custom,
    Python,
    Runs,
    Settings,
)

NAMES = st.sampled_from(["a", "b", "c"])
ARTIFACTS = st.builds(Artifact, NAMES, NAMES, NAMES, NAMES)
ACCOUNTS = st.builds(
    Account, *[st.none() | NAMES, st.none() | st.integers(0, 3), st.none() | st.integers(0, 3), st.none() | NAMES]
)
PYTHONS = st.builds(Python, st.none() | NAMES, st.none() | st.lists(ARTIFACTS, max_size=2).map(tuple))
CUSTOMS = st.builds(Custom, st.lists(NAMES, min_size=1, max_size=2).map(tuple))


@st.composite
def builders(draw: st.DrawFn) -> tuple[Builder, ...]:
    found: list[Builder] = list(draw(st.lists(CUSTOMS, max_size=3)))
    python = draw(st.none() | PYTHONS)
    if python is not None:
        found.insert(draw(st.integers(0, len(found))), python)
    return tuple(found)


PAIRS = st.dictionaries(NAMES, NAMES, max_size=3).map(lambda pairs: tuple(pairs.items()))
PACKAGES = st.dictionaries(NAMES, st.lists(NAMES, max_size=2).map(tuple), max_size=2).map(
    lambda pairs: tuple(pairs.items())
)
SETTINGS = st.builds(
    Settings,
    base=st.just("") | NAMES,
    packages=PACKAGES,
    lives=ACCOUNTS,
    runs=st.builds(Runs, ACCOUNTS, st.none() | st.booleans(), PAIRS),
    builders=builders(),
    python=PYTHONS,
    entrypoint=st.none() | st.lists(NAMES, max_size=2).map(tuple),
    copies=st.lists(ARTIFACTS, max_size=3, unique=True).map(tuple),
)


@given(SETTINGS)
def test_nothing_changes_nothing(settings: Settings) -> None:
    assert merge(settings, Settings()) == settings
    assert merge(Settings(), settings) == settings


@given(SETTINGS, SETTINGS, SETTINGS)
def test_the_order_of_merging_does_not_matter_only_that_of_the_layers(
    one: Settings, two: Settings, three: Settings
) -> None:
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@given(SETTINGS, SETTINGS)
def test_the_later_one_wins_and_nothing_of_it_is_lost(old: Settings, new: Settings) -> None:
    made = merge(old, new)
    assert made.base == (new.base or old.base)
    assert dict(made.runs.environment) == {**dict(old.runs.environment), **dict(new.runs.environment)}
    assert made.copies[len(made.copies) - len(new.copies) :] == new.copies
    assert len(set(made.copies)) == len(made.copies)
    for release, names in new.packages:
        assert dict(made.packages)[release][-len(names) :] == names if names else True
    assert sum(isinstance(item, Python) for item in made.builders) <= 1


def custom(name: str) -> Custom:
    return Custom((name,))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((custom("a"),), (custom("b"),), (custom("a"), custom("b"))),
        ((Python("p"), custom("a")), (custom("b"),), (Python("p"), custom("a"), custom("b"))),
        (
            (custom("a"), Python("old", ()), custom("b")),
            (custom("c"), Python("new", None)),
            (custom("a"), custom("b"), custom("c"), Python("new", ())),
        ),
    ],
)
def test_builders(old: tuple[Builder, ...], new: tuple[Builder, ...], expected: tuple[Builder, ...]) -> None:
    assert merge(Settings(builders=old), Settings(builders=new)).builders == expected


def test_an_exact_duplicate_of_a_copy_moves_to_the_later_place() -> None:
    a, b = Artifact("local", "a", "", "1"), Artifact("local", "b", "", "2")
    again = replace(a, where="9")
    made = merge(Settings(copies=(a, b)), Settings(copies=(again,))).copies
    assert [(item.source, item.where) for item in made] == [("b", "2"), ("a", "9")]


def blubber(**includes: str) -> Blubber:
    variants = {
        name: Settings(includes=tuple(words.split()), packages=(("default", (name,)),), where=f"F:{name}")
        for name, words in includes.items()
    }
    return Blubber(Settings(base="top", packages=(("default", ("common",)),)), variants, "F")


@pytest.mark.parametrize(
    ("name", "order"),
    [("one", "one"), ("two", "one two"), ("both", "one two other both"), ("twice", "one two other twice")],
)
def test_includes_are_laid_depth_first_each_once(name: str, order: str) -> None:
    made = resolve(name, blubber(one="", two="one", other="one", both="two other", twice="one two other"))
    assert made.packages == (("default", ("common", *order.split())),)
    assert (made.base, made.where) == ("top", f"F:{name}")


@pytest.mark.parametrize(
    ("includes", "error", "hint"),
    [
        ({"one": "one"}, "F:one: `includes` goes in a circle: one -> one", "take one of them out"),
        (
            {"one": "two", "two": "three", "three": "two"},
            "F:three: `includes` goes in a circle: two -> three -> two",
            "take one of them out",
        ),
        ({"one": "buidl", "build": ""}, "F:one: there is no variant `buidl`", "did you mean `build`?"),
    ],
)
def test_faults(includes: dict[str, str], error: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve("one", blubber(**includes))
    assert (str(caught.value), caught.value.hint) == (error, hint)
