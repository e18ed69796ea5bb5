"""Where this installation keeps its state."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_RUN = Path("/run/ropewalk")


@dataclass(frozen=True, slots=True)
class Settings:
    """The state directory and the places in it.

    Attributes:
        state: The state directory: store, records, pool, views, database, keys.
        shared: Another state directory whose views and pool are used, and of which nothing else may be seen; None for a
            state directory that stands by itself.
        run: Where directories of running work are that need a short name.
    """

    state: Path
    shared: Path | None = None
    run: Path = _RUN

    @property
    def groups(self) -> bool:
        """Whether control groups may be made: not by an ordinary user, who is root of his own namespace only."""
        return self.run == _RUN

    @property
    def store(self) -> Path:
        """The local OCI layout of built images."""
        return self.state / "store"

    @property
    def records(self) -> Path:
        """Build records, one directory per image digest."""
        return self.state / "records"

    @property
    def views(self) -> Path:
        """Archive views: one JSON each, and the signed files by hash."""
        return (self.shared or self.state) / "views"

    @property
    def pool(self) -> Path:
        """Every .deb that went into an image, once, by sha256."""
        return (self.shared or self.state) / "pool"

    @property
    def keys(self) -> Path:
        """Signing keys, one pair of each kind per generation."""
        return self.state / "keys"

    @property
    def database(self) -> Path:
        """The SQLite database of the inventory."""
        return self.state / "ropewalk.sqlite"

    @property
    def history(self) -> Path:
        """What happened and cannot be made again of anything else; only added to."""
        return self.state / "history"

    @property
    def containers(self) -> Path:
        """Storage of buildah and podman; a cache, may be deleted when nothing runs."""
        return self.state / "containers"

    @property
    def registry(self) -> Path:
        """Data, configuration and signatures of the embedded registry."""
        return self.state / "registry"

    @property
    def campaigns(self) -> Path:
        """Campaigns: a JSON file each."""
        return self.state / "campaigns"

    @property
    def advisories(self) -> Path:
        """What was fetched of the security tracker; a cache."""
        return self.state / "advisories"

    @property
    def logs(self) -> Path:
        """One log file per image build; they outlive a state directory that is made for one run."""
        return self.state / "logs" if self.shared is None else self.shared / "logs" / self.state.name

    @property
    def scratch(self) -> Path:
        """Temporary directories of running work; what a dead run left is removed by the next."""
        return self.state / "scratch"


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Find the state directory: ``ROPEWALK_STATE``, else XDG's state directory; an ordinary user's ``ROPEWALK_RUN``.

    Args:
        environment: The process's environment.

    Returns:
        Settings with an absolute state directory, which need not exist yet.
    """
    named = environment.get("ROPEWALK_STATE")
    home = Path(environment.get("HOME", "/root"))
    base = environment.get("XDG_STATE_HOME")
    state = Path(named).absolute() if named else (Path(base) if base else home / ".local" / "state") / "ropewalk"
    run = environment.get("ROPEWALK_RUN")
    return Settings(state, run=Path(run)) if run else Settings(state)
