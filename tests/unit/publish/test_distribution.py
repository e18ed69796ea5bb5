"""What an image's os-release says, and what is refused."""

from pathlib import Path

import pytest

from kit.images import add_files, add_image
from ropewalk.errors import Exit
from ropewalk.oci.store import Store
from ropewalk.publish.distribution import OtherDistribution, check_distribution, distribution


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (({"usr/lib/os-release": b"NAME=Debian\nID=debian\nID_LIKE=x\n"},), "debian"),
        (({"etc/os-release": b"ID='alpine'\n"},), "alpine"),
        (({"usr/lib/os-release": b"ID=debian\n"}, {"etc/os-release": b'ID="rhel"\n'}), "rhel"),
        (({"usr/lib/os-release": b'ID="unclosed\n'},), '"unclosed'),
        (({"usr/lib/os-release": b"NAME=x\n"},), "linux"),
        (({"app": b""},), ""),
    ],
)
def test_the_id_of_the_topmost_file_counts(tmp_path: Path, layers: tuple[dict[str, bytes], ...], expected: str) -> None:
    store = Store(tmp_path)
    image = add_image(store, *(add_files(store, files) for files in layers))
    assert distribution(image, store) == expected


def test_another_distribution_is_refused_unless_allowed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    image = add_image(store, add_files(store, {"etc/os-release": b"ID=alpine\n"}))
    with pytest.raises(OtherDistribution, match="r/a:1: is an image of alpine, not of debian") as caught:
        check_distribution(image, store, "r/a:1", ())
    assert "`ropewalk.foreign` with `distribution: alpine`" in caught.value.hint
    assert caught.value.exit_code is Exit.REFUSED
    check_distribution(image, store, "r/a:1", {"alpine"})
    check_distribution(add_image(store, add_files(store, {"a": b""})), store, "r/a:1", ())
