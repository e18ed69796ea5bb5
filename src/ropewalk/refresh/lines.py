"""The lines of a tree that have an image, and their parents as they are now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ropewalk.oci.store import Store
from ropewalk.plan import Observed, edges, next_build, order, resolve
from ropewalk.recipe.recipe import Parent, ParentRole, Recipe
from ropewalk.recipe.record import BuildRecord, ParentPin
from ropewalk.refresh.intent import Moved

AWAY = "only the registry has it: its packages are looked at when it is fetched"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that has an image.

    Attributes:
        recipe: The recipe.
        record: Of its current image.
        following: The number of the line's next build.
        here: Its packages can be read: the image is in the store, or its layers were noted when it was adopted.
        published: The current image is in the registry.
    """

    recipe: Recipe
    record: BuildRecord
    following: int
    here: bool
    published: bool

    @property
    def following_reference(self) -> str:
        """``registry/namespace/name:version-rN`` of the next build."""
        return f"{self.recipe.reference}-r{self.following}"


@dataclass(frozen=True, slots=True)
class Lost:
    """Why nothing can be said of a line: one of its parents is forbidden, or nowhere.

    Attributes:
        reason: Why.
        hint: What to do.
    """

    reason: str
    hint: str

    def __str__(self) -> str:
        """Return both on one line."""
        return f"{self.reason}; {self.hint}"


def lines_of(recipes: Sequence[Recipe], observed: Observed, store: Store) -> tuple[Line, ...]:
    """Return the lines with an image, parents before children.

    Args:
        recipes: The tree.
        observed: What store, records and registry know.
        store: The local store.

    Raises:
        InputError: Recipes need each other.
    """
    current = {known.record.line: known for known in observed.known}
    found = []
    for recipe in order(recipes, edges(recipes)):
        known = current.get(recipe.reference)
        if known is not None:
            number = next_build(recipe.repository, recipe.version, observed)
            found.append(Line(recipe, known.record, number, store.has(known.record.digest), known.published))
    return tuple(found)


def pins_of(
    line: Line, recipes: Sequence[Recipe], records: Sequence[BuildRecord], observed: Observed
) -> tuple[ParentPin, ...] | Lost:
    """Return a line's parents as they are now; foreign ones stay as recorded.

    Args:
        line: The line.
        recipes: The tree.
        records: Known builds, of each line the oldest first.
        observed: Why a parent may not be known.
    """
    recorded = {(pin.reference, pin.role): pin for pin in line.record.parents}
    pins = []
    for parent in line.recipe.parents:
        if parent.forbidden is not None:
            return Lost(parent.forbidden.reason, parent.forbidden.hint)
        now = resolve(parent, recipes, records)
        pin = (
            ParentPin(parent.reference, now.digest, parent.role)
            if now
            else recorded.get((parent.reference, parent.role))
        )
        if pin is None:
            return _lost(parent, observed)
        pins.append(pin)
    return tuple(pins)


def _lost(parent: Parent, observed: Observed) -> Lost:
    tag = next((tag for tag in observed.unverified if tag.repository == parent.repository), None)
    if tag is not None:
        return Lost(
            f"its parent {parent.reference} is not ours: {tag.tag}: {tag.reason}", "`ropewalk adopt` takes it over"
        )
    return Lost(f"its parent {parent.reference} is not here", "build it first, or give its recipe's directory too")


def moved(line: Line, pins: Sequence[ParentPin], renewed: Collection[str]) -> Moved:
    """Say which parents are, or will be, other images than the recorded ones.

    Args:
        line: The line.
        pins: Its parents as they are now, in the recipe's order.
        renewed: Digests of images that others will take the place of.
    """
    recorded = {(pin.reference, pin.role): pin.digest for pin in line.record.parents}
    final, build = "", []
    for parent, pin in zip(line.recipe.parents, pins, strict=True):
        if recorded.get((pin.reference, pin.role)) == pin.digest and pin.digest not in renewed:
            continue
        name = parent.name or parent.reference
        if parent.role is ParentRole.FINAL:
            final = name
        else:
            build.append(name)
    return Moved(final, tuple(dict.fromkeys(build)))
