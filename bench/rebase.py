"""What a rebase gives beside a full rebuild: random sets of real packages and instructions, two generations.

Each sample is an image on a base image and one on that, both built on the old base (Debian's release alone) and on the new
one (with updates and security); some bases also gain and lose packages. A rebase must equal the second build or be
refused; of each refusal it is measured whether it was needed. What is built and answered is kept below `bench-rebase` in
$ROPEWALK_STATE: run it again and it goes on. Last line of `--format json`: the table.
"""

import argparse
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from kit.rebases import BASES, Answer, Verdict, judged, opened, table  # noqa: E402  # the tests' own pieces


def show(answer: Answer) -> None:
    """Print one answer as a line."""
    rule = f" (rule {answer.rule})" if answer.rule else ""
    size = f" {answer.reconcile_bytes} bytes" if answer.reconcile_bytes else ""
    print(f"{answer.name} on {answer.base}: {answer.verdict}{rule}{size} {answer.reason}".rstrip(), flush=True)


def main() -> int:
    """Run the samples and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="images of which a rebase is asked")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other images")
    parser.add_argument("--base", action="append", choices=tuple(BASES), help="only on this base; may be repeated")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    given = parser.parse_args()
    state = Path(os.environ.get("ROPEWALK_STATE", ROOT / ".state" / "ropewalk")) / "bench-rebase"
    with ExitStack() as stack:
        trials = stack.enter_context(opened(state, given.seed, tuple(given.base or BASES)))
        answers = []
        for answer in judged(trials, given.count, given.seed):
            show(answer)
            answers.append(answer)
    counted = table(answers)
    print(json.dumps(counted) if given.format == "json" else json.dumps(counted, indent=2))
    return 1 if counted[Verdict.WRONG] else 0


if __name__ == "__main__":
    sys.exit(main())
