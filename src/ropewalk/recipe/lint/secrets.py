"""What looks like a secret: private keys, tokens of well-known services, variables with a telling name and a value."""

import re

_KINDS = {
    "a private key": re.compile(
        r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----\s+(?:[A-Za-z0-9-]+: [^\n]*\s+)*[A-Za-z0-9+/=]{20,}"
    ),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b"),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Slack token": re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{20,}"),
    "a URL with a password": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"$<>{}]+:[^\s/@'\"$<>{}]{3,}@[A-Za-z0-9]"),
}
_NAME = re.compile(
    r"(?:.*[_-])?(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)", re.IGNORECASE
)
_HARMLESS = re.compile(r"(?:[$/.~{<].*|true|false|yes|no|none|null|changeme|[0-9]{1,3}|https?://.*)?", re.IGNORECASE)


def secrets_in(text: str) -> tuple[str, ...]:
    """Say which kinds of secrets a text holds.

    Args:
        text: A file or an instruction.

    Returns:
        The kinds, in words, each once.
    """
    return tuple(kind for kind, pattern in _KINDS.items() if pattern.search(text))


def secret_line(text: str) -> int:
    """Return the line of the first secret, counted from 1; 0 where there is none."""
    starts = [match.start() for pattern in _KINDS.values() if (match := pattern.search(text))]
    return text.count("\n", 0, min(starts)) + 1 if starts else 0


def secret_name(name: str, value: str) -> bool:
    """Say whether a variable's name promises a secret and its value is one: no reference, path or placeholder.

    Args:
        name: The variable.
        value: Its value; may be empty.
    """
    return _NAME.fullmatch(name) is not None and _HARMLESS.fullmatch(value.strip("'\"")) is None
