"""What apt chooses, case by case: the inventory is tested against the table, and the table against apt."""

from dataclasses import dataclass

PLAIN, UPDATES, SECURITY = "bookworm", "bookworm-updates", "bookworm-security"
BACKPORTS, EXPERIMENTAL = "bookworm-backports", "experimental"
SUITES = (PLAIN, UPDATES, SECURITY, BACKPORTS, EXPERIMENTAL)


@dataclass(frozen=True, slots=True)
class AptCase:
    """A package in an image and what its sources offer.

    Attributes:
        name: What the case shows.
        installed: The installed version.
        offers: Version and suite; ``version:all`` offers it for every architecture.
        expected: The version that apt would install; None where the installed one stays.
        architecture: The installed package's.
    """

    name: str
    installed: str
    offers: tuple[tuple[str, str], ...]
    expected: str | None
    architecture: str = "amd64"

    def offered(self) -> tuple[tuple[str, str, str], ...]:
        """Return the offers as version, architecture, suite."""
        found = []
        for text, suite in self.offers:
            version = text.removesuffix(":all")
            found.append((version, "amd64" if version == text else "all", suite))
        return tuple(found)


APT_CASES = (
    AptCase("the same", "1", (("1", PLAIN),), None),
    AptCase("older only", "2", (("1", PLAIN),), None),
    AptCase("newer", "1", (("2", PLAIN),), "2"),
    AptCase("the newest of all plain suites", "1", (("2", PLAIN), ("4", UPDATES), ("3", SECURITY)), "4"),
    AptCase("security", "1-1", (("1-1", PLAIN), ("1-1+deb12u1", SECURITY)), "1-1+deb12u1"),
    AptCase("backports do not lure", "1", (("1", PLAIN), ("2~bpo12+1", BACKPORTS)), None),
    AptCase("a plain upgrade beats backports", "1", (("2", PLAIN), ("3~bpo12+1", BACKPORTS)), "2"),
    AptCase("from backports one goes on", "2~bpo12+1", (("1", PLAIN), ("2~bpo12+2", BACKPORTS)), "2~bpo12+2"),
    AptCase("from backports to a newer plain one", "2~bpo12+1", (("2", PLAIN), ("3~bpo12+1", BACKPORTS)), "2"),
    AptCase("never from experimental", "1", (("2", EXPERIMENTAL),), None),
    AptCase("a local version is newer", "1+local1", (("1", PLAIN), ("1", SECURITY)), None),
    AptCase("epochs count", "9", (("1:1", PLAIN),), "1:1"),
    AptCase("a release candidate is older", "1~rc1-1", (("1~rc2-1", PLAIN), ("1-1", UPDATES)), "1-1"),
    AptCase("it becomes architecture independent", "1", (("2:all", PLAIN),), "2"),
    AptCase("it becomes architecture dependent", "1", (("2", PLAIN),), "2", "all"),
    AptCase("another architecture has nothing here", "1", (("2", PLAIN), ("3:all", PLAIN)), None, "armhf"),
    AptCase("in two suites at once", "1", (("2", PLAIN), ("2", SECURITY)), "2"),
)
