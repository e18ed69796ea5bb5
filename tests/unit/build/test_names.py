"""Names in buildah's storage: one image a name while builds use it."""

import threading

from ropewalk.build.names import Names

NAME = "registry.example.org/bookworm:latest"


def test_words_differ() -> None:
    names = Names()
    assert len({names.fresh() for _ in range(5)}) == 5


def test_builds_share_a_name_for_the_same_image() -> None:
    names = Names()
    with names.held({NAME: "sha256:1"}), names.held({NAME: "sha256:1", "other": "sha256:2"}):
        pass
    with names.held({NAME: "sha256:3"}):
        pass


def test_another_image_waits_until_the_name_is_free() -> None:
    names, order, other = Names(), [], threading.Event()

    def second() -> None:
        other.set()
        with names.held({NAME: "sha256:2"}):
            order.append("second")

    thread = threading.Thread(target=second)
    with names.held({NAME: "sha256:1"}):
        thread.start()
        other.wait(5)
        thread.join(0.1)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_all_names_are_taken_in_one_step() -> None:
    names, ended = Names(), []

    def work(wanted: dict[str, str]) -> None:
        for _ in range(50):
            with names.held(wanted):
                pass
        ended.append(True)

    pairs = ({"a": "1", "b": "1"}, {"b": "2", "a": "2"}, {"a": "1", "b": "2"})
    threads = [threading.Thread(target=work, args=(pair,)) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(ended) == len(pairs)
