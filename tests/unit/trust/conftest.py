from pathlib import Path

import pytest

from kit.signing import signing_keys
from ropewalk.recipe.recipe import Generation
from ropewalk.trust import SigningKeys


@pytest.fixture(scope="session")
def every_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[SigningKeys, ...]:
    directory: Path = tmp_path_factory.mktemp("keys")
    return signing_keys(directory, *Generation)


@pytest.fixture(scope="session")
def base(every_key: tuple[SigningKeys, ...]) -> SigningKeys:
    return every_key[0]


@pytest.fixture(scope="session")
def production(every_key: tuple[SigningKeys, ...]) -> SigningKeys:
    return every_key[1]
