"""Random images of real packages on base images that also gain and lose packages: a rebase equals a rebuild or is refused."""

import os
import shutil
from pathlib import Path

import pytest

from kit.rebases import BASES, Verdict, judged, opened

pytestmark = [pytest.mark.system, pytest.mark.long]


def test_a_rebase_of_fifty_random_images_equals_a_rebuild_or_is_refused() -> None:
    # The pool and the views stay over runs, as on a real builder; what is made from them does not.
    state = Path(os.environ["ROPEWALK_STATE"]) / "rebases"
    for path in state.glob("*"):
        if path.name not in {"views", "pool"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with opened(state, 4, tuple(BASES)) as trials:
        answers = list(judged(trials, 50, seed=4))
    assert [answer for answer in answers if answer.verdict in {Verdict.WRONG, Verdict.BROKEN}] == []
