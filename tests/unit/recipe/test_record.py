from dataclasses import replace
from pathlib import Path

import pytest

from kit.images import recipe, record
from ropewalk.recipe.record import BuildRecord, How, Proof, Proven, RecordBook, Withdrawn

EQUAL = Proof(True, (), 1.0, 1)
OTHER = Proof(False, ("a: gone",), 1.0, 1)


@pytest.fixture
def book(tmp_path: Path) -> RecordBook:
    return RecordBook(tmp_path / "records")


def make(book: RecordBook, how: How) -> BuildRecord:
    made = replace(record(recipe("bookworm")), how=how)
    book.save(made)
    return made


@pytest.mark.parametrize("how", [How.BUILT, How.REBUILT, How.ADOPTED])
def test_what_was_made_in_full_needs_no_proof(book: RecordBook, how: How) -> None:
    state = book.proven(make(book, how).digest)
    assert state is Proven.BUILT
    assert state.ok


def test_a_rebased_image_waits_for_its_proof(book: RecordBook) -> None:
    made = make(book, How.REBASED)
    assert book.proven(made.digest) is Proven.NOT_YET
    book.mark_proven(made.digest, OTHER)
    assert book.proven(made.digest) is Proven.NOT_YET
    book.mark_proven(made.digest, EQUAL)
    assert book.proven(made.digest) is Proven.EQUAL
    book.mark_withdrawn(made.digest, Withdrawn("rule 9", "b:1-r2", 5))
    assert book.withdrawn(made.digest) == Withdrawn("rule 9", "b:1-r2", 5)
    state = book.proven(made.digest)
    assert state is Proven.WITHDRAWN
    assert not state.ok


def test_nothing_is_known_of_what_has_no_record(book: RecordBook) -> None:
    digest = record(recipe("bookworm")).digest
    assert (book.proven(digest), book.withdrawn(digest), book.seconds(digest)) == (None, None, None)


def test_how_long_it_took_is_kept(book: RecordBook) -> None:
    made = make(book, How.BUILT)
    book.mark_seconds(made.digest, 4.25)
    assert book.seconds(made.digest) == 4.25
    book.remove(made.digest)
    assert book.seconds(made.digest) is None
