"""The command as users run it: a process of its own, with a state directory and a tree."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Command:
    """One builder.

    Attributes:
        state: Its state directory.
        config: The tree's config.
        variables: Further environment variables.
    """

    state: Path
    config: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command, whatever comes of it."""
        return subprocess.run(
            [ROOT / ".venv/bin/ropewalk", "-q", "-c", self.config, *arguments],
            env={**os.environ, "ROPEWALK_STATE": str(self.state), **self.variables},
            check=False,
            capture_output=True,
            text=True,
        )

    def ask(self, *arguments: str, code: int = 0) -> Any:
        """Run the command and return what its JSON says.

        Args:
            arguments: Without ``--format json``.
            code: The exit code that is right.
        """
        done = self.run(*arguments, "--format", "json")
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)
