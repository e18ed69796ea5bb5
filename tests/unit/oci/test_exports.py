from ropewalk import oci


def test_every_exported_name_is_there() -> None:
    assert all(hasattr(oci, name) for name in oci.__all__)
    assert len(oci.__all__) == len(set(oci.__all__))
