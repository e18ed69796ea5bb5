"""With a namespace every output calls an image ``namespace/name``; who asks may leave the namespace out."""

from dataclasses import replace
from pathlib import Path

import pytest

from kit.images import add_files, add_image, record
from kit.recipes import load, production
from ropewalk.cli.session import Session
from ropewalk.errors import InputError
from ropewalk.events import silent
from ropewalk.oci import Store
from ropewalk.plan import decide, observe, to_json, to_update
from ropewalk.recipe import RecordBook
from ropewalk.settings import Settings

FILES = {
    **production("nginx", "1-1", "FROM scratch\n"),
    **production("site", "1-1", "FROM {{ 'nginx' | image_tag }}\n"),
}


def test_a_plan_names_images_by_namespace_and_name(tmp_path: Path) -> None:
    recipes = load(tmp_path, FILES, "namespace: web\n")
    observed = observe(recipes, book=RecordBook(tmp_path / "records"), store=Store(tmp_path / "store"))
    rows = to_json(decide(recipes, observed))["entries"]
    assert [row["name"] for row in rows] == ["web/nginx", "web/site"]
    assert all(row["reference"] == f"registry.example.org/{row['name']}:{row['version']}" for row in rows)
    assert rows[1]["parents"] == ["registry.example.org/web/nginx:1-1"]
    for name in ("nginx", "web/nginx", "registry.example.org/web/nginx"):
        assert [recipe.path for recipe in to_update(recipes, name)] == ["web/nginx", "web/site"]


@pytest.mark.parametrize(
    "wanted", ["nginx", "web/nginx", "nginx:1-1", "web/nginx:1-1", "registry.example.org/web/nginx"]
)
def test_an_image_is_found_by_any_of_its_names(tmp_path: Path, wanted: str) -> None:
    (nginx, _) = load(tmp_path, FILES, "namespace: web\n")
    session = Session(Settings(tmp_path / "state"), None, silent)
    for name in ("web/nginx", "other/nginx", "web/another-nginx"):
        image = add_image(session.store(), add_files(session.store(), {"name": name.encode()}))
        made = replace(record(replace(nginx, parents=()), image=image), name=name, made=1 if name == "web/nginx" else 0)
        session.book().save(replace(made, repository=f"registry.example.org/{name}"))
    assert session.find(wanted)[1].name == "web/nginx"
    assert session.find("other/nginx:1-1")[1].name == "other/nginx"
    with pytest.raises(InputError, match="ginx: no such image"):
        session.find("ginx")
