"""The rules of ``ropewalk tree check``: what each is called, how much it weighs, and why it is there."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    """The tree cannot be merged as it stands."""
    WARNING = "warning"
    """It builds, and somebody will regret it."""
    NOTE = "note"
    """Worth knowing."""


class Rule(StrEnum):
    """What was found."""

    RECIPE = "recipe"
    CHANGELOG = "changelog"
    RENAMED = "renamed"
    CONFIG = "config-key"
    HALF_RECIPE = "half-recipe"
    NAME_TWICE = "name-twice"
    TEMPLATE = "template"
    BOUNDS = "bounds"
    DOCKERFILE = "dockerfile"
    FILE = "file"
    PARENT = "parent"
    PARENT_NOWHERE = "parent-nowhere"
    LOOP = "loop"
    CONTROL = "control-unknown"
    USER = "numeric-user"
    UID = "unknown-uid"
    SECRET = "secret"  # noqa: S105  # a rule's name
    PIPE = "pipe-to-shell"
    ADD_URL = "add-url"
    RECOMMENDS = "apt-recommends"
    LISTS = "apt-lists"
    LATEST = "foreign-latest"
    PIP = "unpinned-pip"
    NPM = "unpinned-npm"
    NO_TEST = "no-test"
    VERSION = "no-new-version"
    REFUSED = "refused"

    @property
    def level(self) -> Level:
        """How much it weighs."""
        return RULES[self][0]

    @property
    def why(self) -> str:
        """Why the rule is there."""
        return RULES[self][1]


_E, _W, _N = Level.ERROR, Level.WARNING, Level.NOTE
RULES: dict[Rule, tuple[Level, str]] = {
    Rule.RECIPE: (_E, "What cannot be read cannot be built."),
    Rule.CHANGELOG: (_E, "The newest entry gives the image's name and version; the version must be a tag."),
    Rule.RENAMED: (_N, "The newest entry has another name than the one before: a rename, or a slip of the hand."),
    Rule.CONFIG: (_W, "A misspelt key of the config is taken for a variable, and nothing says that it has no effect."),
    Rule.HALF_RECIPE: (_W, "A directory with only one of Dockerfile.template and changelog is no recipe."),
    Rule.NAME_TWICE: (_E, "Two recipes of one name would overwrite each other's tags."),
    Rule.TEMPLATE: (_E, "A template that does not render, or a variable that nothing sets."),
    Rule.BOUNDS: (_E, "Reading a recipe must end within seconds and within the memory that it is given."),
    Rule.DOCKERFILE: (_E, "The rendered Dockerfile must be one that the builder reads."),
    Rule.FILE: (_E, "The build context holds files and links inside the tree, nothing else."),
    Rule.PARENT: (_E, "Images are built on our own, or on a foreign one that the config allows today."),
    Rule.PARENT_NOWHERE: (_E, "A parent must be a recipe, a base image of the config, or published."),
    Rule.LOOP: (_E, "Images that need each other can never be built."),
    Rule.CONTROL: (_W, "A name in control that no recipe has is not waited for when images are built."),
    Rule.USER: (
        _E,
        "With force_numeric_user the last USER is a number, so that a cluster can see that it is not root.",
    ),
    Rule.UID: (_W, "A user without a number in known_uid_mappings gets one by chance."),
    Rule.SECRET: (_E, "Everyone who can pull an image can read its files, its variables and its history."),
    Rule.PIPE: (_W, "What a server sends today is run as root, unseen and different tomorrow."),
    Rule.ADD_URL: (_W, "What a URL gives can change; nothing says what was meant."),
    Rule.RECOMMENDS: (_W, "Recommended packages are carried and patched for years without being needed."),
    Rule.LISTS: (_W, "Package lists in an image are dead weight, and differ with every build."),
    Rule.LATEST: (_W, "The tag latest of a foreign image is another image tomorrow."),
    Rule.PIP: (_N, "pip takes the newest version that it finds on that day."),
    Rule.NPM: (_N, "npm takes the newest version that it finds on that day."),
    Rule.NO_TEST: (_N, "A test.sh beside the template tells before users do."),
    Rule.VERSION: (_E, "A published version never changes: a changed recipe needs a new changelog entry."),
    Rule.REFUSED: (_W, "The plan says no: a build would leave the recipe out."),
}
"""Each rule's weight and reason."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        rule: Which rule.
        path: The file or directory.
        line: Counted from 1; 0 for the whole file.
        message: What is there.
        hint: What to do.
        weight: The level where it departs from the rule's own.
    """

    rule: Rule
    path: str
    line: int
    message: str
    hint: str
    weight: Level | None = None

    @property
    def level(self) -> Level:
        """How much it weighs."""
        return self.weight or self.rule.level

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.path}:{self.line}" if self.line else self.path
