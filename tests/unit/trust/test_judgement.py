"""What signed statements say of an image after a full rebuild."""

from dataclasses import replace
from typing import Any

import pytest

from kit.signing import DIGEST, NAME, build_record
from ropewalk.recipe.record import Proof, Withdrawn
from ropewalk.trust import (
    BadAttestation,
    SigningKeys,
    envelope,
    open_envelope,
    proof_statement,
    record_from,
    withdrawal_statement,
)
from ropewalk.trust.judgement import Judgement, judged

RECORD = replace(build_record(), build=2)
PROOF = proof_statement(RECORD, Proof(True, (), 12.5, 1_700_000_000))
WITHDRAWN = Withdrawn("rule 9: opt/x: content", f"{NAME}/nginx:1.22.1-3-r3", 1_700_000_000)
WITHDRAWAL = withdrawal_statement(RECORD, WITHDRAWN)
REPOSITORY = f"{NAME}/nginx"


def test_statements_say_what_they_are_about() -> None:
    assert PROOF["subject"] == [{"name": REPOSITORY, "digest": {"sha256": "1" * 64}}]
    assert PROOF["predicate"] == {
        "line": f"{REPOSITORY}:1.22.1-3",
        "tag": "1.22.1-3-r2",
        "view": "20250520-0123456789",
        "rebuiltOn": "2023-11-14T22:13:20Z",
        "seconds": 12.5,
    }
    assert WITHDRAWAL["predicate"]["replacedBy"] == WITHDRAWN.by


@pytest.mark.parametrize("statement", [PROOF, WITHDRAWAL])
def test_statements_are_signed_and_hold_no_build_record(production: SigningKeys, statement: dict[str, Any]) -> None:
    opened = open_envelope(envelope(production, statement), (production.public,))
    assert opened == statement
    with pytest.raises(BadAttestation, match="holds no build record"):
        record_from(opened)


def test_judgements_add_up() -> None:
    proven = judged(PROOF, REPOSITORY, DIGEST, Judgement())
    assert proven == Judgement(proven=True)
    both = judged(WITHDRAWAL, REPOSITORY, DIGEST, proven)
    assert both == Judgement(True, f"rule 9: opt/x: content; {WITHDRAWN.by} takes its place")
    assert judged(PROOF, REPOSITORY, DIGEST, both) == both


@pytest.mark.parametrize(
    ("change", "repository", "digest"),
    [
        ({}, REPOSITORY, "sha256:" + "2" * 64),
        ({}, f"{NAME}/other", DIGEST),
        ({}, "elsewhere.example.org/nginx", DIGEST),
        ({"subject": []}, REPOSITORY, DIGEST),
        ({"subject": [{"name": "", "digest": {}}]}, REPOSITORY, DIGEST),
        ({"subject": None}, REPOSITORY, DIGEST),
        ({"predicate": None}, REPOSITORY, DIGEST),
        ({"predicateType": "https://slsa.dev/provenance/v1"}, REPOSITORY, DIGEST),
    ],
)
def test_what_does_not_fit_says_nothing(change: dict[str, Any], repository: str, digest: str) -> None:
    assert judged({**WITHDRAWAL, **change}, repository, digest, Judgement()) == Judgement()


def test_without_a_registry_the_path_is_compared() -> None:
    assert judged(PROOF, "nginx", DIGEST, Judgement()).proven
