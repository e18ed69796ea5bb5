"""Plans against a real registry: work goes on where another machine left off, and nothing unsigned is believed."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from kit.images import add_files, add_image, owners, recipe, record
from kit.registry import LiveRegistry, cut_after, live_registry
from ropewalk.errors import NetworkError
from ropewalk.oci.client import RegistryClient
from ropewalk.oci.store import Store
from ropewalk.plan import Observed, decide, observe
from ropewalk.publish import publish
from ropewalk.recipe.recipe import Generation, Recipe
from ropewalk.recipe.record import BuildRecord, Published, RecordBook
from ropewalk.trust import Publics, load, new_keys

pytestmark = pytest.mark.system

BASE = recipe("bookworm:12")


@dataclass(frozen=True)
class Machine:
    """A builder's state, and the registry that it shares with others."""

    state: Path
    keys: Path
    live: LiveRegistry

    @property
    def store(self) -> Store:
        return Store(self.state / "store")

    @property
    def book(self) -> RecordBook:
        return RecordBook(self.state / "records")

    @property
    def publics(self) -> Publics:
        return Publics(self.keys)

    def make(self, of: Recipe, *pins: BuildRecord, text: str = "", build: int = 1, send: bool = True) -> BuildRecord:
        store = self.store
        below = [layer for pin in pins for layer in [store.layer(owned.diff_id) for owned in pin.layers] if layer]
        own = add_files(store, {of.name: text.encode()})
        named = owners(*((layer, "bookworm") for layer in below), (own, of.name))
        image = add_image(store, *below, own)
        made = record(of, *pins, build=build, image=image, layers=named)
        self.book.save(made)
        if send:
            self.publish(made)
        return made

    def publish(self, made: BuildRecord) -> None:
        image = self.store.load(made.digest)
        assert image is not None
        with RegistryClient(self.live.endpoint) as client:
            publish(
                image,
                made,
                store=self.store,
                client=client,
                keys=load(self.keys, made.generation),
                lookaside=self.live.lookaside_directory,
                book=self.book,
                latest=True,
                now=1,
            )

    def marked(self, endpoint: str) -> RecordBook:
        """Return the records as they are where all was published under this address."""
        for made in self.book:
            self.book.mark_published(made.digest, Published(endpoint, 1))
        return self.book

    def look(self, *recipes: Recipe, publics: Publics | None = None) -> Observed:
        with RegistryClient(self.live.endpoint) as client:
            keys = self.publics if publics is None else publics
            return observe(recipes, book=self.book, store=self.store, client=client, publics=keys)

    def says(self, *recipes: Recipe, view: str | None = None) -> list[tuple[str, tuple[str, ...]]]:
        plan = decide(recipes, self.look(*recipes), view)
        return [(str(entry.action), entry.reasons) for entry in plan.entries]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveRegistry]:
    with live_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    for generation in (Generation.BASE, Generation.PRODUCTION):
        new_keys(directory, generation)
    return directory


@pytest.fixture
def here(tmp_path: Path, keys: Path, live: LiveRegistry) -> Machine:
    return Machine(tmp_path / "here", keys, live)


@pytest.fixture
def there(tmp_path: Path, keys: Path, live: LiveRegistry) -> Machine:
    return Machine(tmp_path / "there", keys, live)


def lines(name: str) -> tuple[Recipe, Recipe]:
    """Return a base recipe and one on it, of names that no other test published."""
    return recipe(f"{name}-base"), recipe(f"{name}-app", f"{name}-base")


def test_what_another_machine_published_is_current_here(here: Machine, there: Machine) -> None:
    base, app = lines("shared")
    low = there.make(base)
    assert here.says(base, app) == [("none", ()), ("build", ("never built",))]
    high = there.make(app, low)
    assert here.says(base, app) == [("none", ()), ("none", ())]
    observed = here.look(base, app)
    assert [(known.record, known.here, known.published) for known in observed.known] == [
        (high, False, True),
        (low, False, True),
    ]
    there.make(base, text="newer", build=2)
    assert here.says(base, app) == [("none", ()), ("refresh", ("parent rebuilt: shared-base",))]


def test_a_build_that_another_machine_forestalled_gives_way(here: Machine, there: Machine) -> None:
    base, _ = lines("race")
    theirs = there.make(base, text="theirs")
    here.make(base, text="ours", send=False)
    assert [known.record for known in here.look(base).known] == [theirs]


def test_an_unsigned_tag_is_refused(here: Machine) -> None:
    base, app = lines("unsigned")
    made = here.make(base, send=False)
    image = here.store.load(made.digest)
    assert image is not None
    with RegistryClient(here.live.endpoint) as client:
        for descriptor in (image.config_blob, *(layer.blob for layer in image.layers)):
            client.upload("unsigned-base", descriptor.digest, here.store.blob(descriptor.digest))
        manifest = here.store.read(image.digest)
        client.put_manifest("unsigned-base", "1", manifest, image.manifest.media_type)
    stranger = Machine(here.state.parent / "stranger", here.keys, here.live)
    assert stranger.says(base, app) == [
        ("refused", ("the registry's 1 is not ours: no signature exists",)),
        ("refused", ("parent refused: unsigned-base",)),
    ]


def test_without_keys_nothing_is_believed(here: Machine, there: Machine) -> None:
    base, _ = lines("keyless")
    there.make(base)
    observed = here.look(base, publics=Publics(here.state / "no-keys"))
    assert (observed.known, [tag.tag for tag in observed.unverified]) == ((), ["1"])


def test_a_record_of_another_registry_does_not_count(here: Machine) -> None:
    base, _ = lines("moved")
    made = here.make(base, send=False)
    here.book.mark_published(made.digest, Published("http://192.0.2.1:5000", 1))
    assert here.says(base) == [("publish", ("not published",))]
    here.publish(made)
    assert here.says(base) == [("none", ())]


def test_each_repository_is_asked_once_where_all_was_seen_before(here: Machine, there: Machine) -> None:
    recipes = [recipe(f"once-{number}") for number in range(20)]
    made = [(here if number % 2 else there).make(one) for number, one in enumerate(recipes)]
    assert {action for action, _ in here.says(*recipes)} == {"none"}
    with cut_after(here.live.endpoint, 1000) as line:
        for asked in (5 * 10 + 4, 4):  # theirs: digest, signature, attestation; the tags of all: in four ways
            before = line.seen
            with RegistryClient(line.endpoint) as client:
                seen = observe(
                    recipes, book=here.marked(line.endpoint), store=here.store, client=client, publics=here.publics
                )
            assert {known.record for known in seen.known} == set(made)
            assert line.seen - before == asked


def test_what_was_verified_once_is_not_believed_without_the_key(here: Machine, there: Machine) -> None:
    base, _ = lines("untrusted")
    there.make(base)
    assert here.says(base) == [("none", ())]
    observed = here.look(base, publics=Publics(here.state / "no-keys"))
    assert (observed.known, [tag.tag for tag in observed.unverified]) == ((), ["1"])


def test_a_parent_of_another_tree_is_the_newest_that_the_registry_has(here: Machine, there: Machine) -> None:
    _, app = lines("tree")
    for version in ("9", "10", "10~rc1"):
        there.make(recipe(f"tree-base:{version.replace('~', '-')}"), text=version)
    assert [known.record.version for known in here.look(app).known] == ["10-rc1"]


def test_a_server_that_is_no_registry_is_told(here: Machine) -> None:
    class Nothing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            del format, args

    with HTTPServer(("127.0.0.1", 0), Nothing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with RegistryClient(f"http://127.0.0.1:{server.server_port}") as client, pytest.raises(NetworkError):
            observe([BASE], book=here.book, store=here.store, client=client)
        server.shutdown()
