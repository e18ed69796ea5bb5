"""What a build or a test may use of this machine, as options of buildah and podman, which call them alike."""

from ropewalk.recipe.limits import Limits

PIDS = 4096
"""How many processes a test's container may have at once."""


def limit_options(limits: Limits) -> tuple[str, ...]:
    """Return the options for some limits; none where nothing is limited.

    Args:
        limits: From the config's ``container_limits``.
    """
    given = {
        "memory": limits.memory,
        "memory-swap": limits.memory_swap,
        "cpu-shares": limits.cpu_shares,
        "cpuset-cpus": limits.cpus or None,
    }
    return tuple(f"--{name}={value}" for name, value in given.items() if value is not None)
