"""A plan as graphviz's text."""

from kit.images import parent, recipe, record
from ropewalk.plan.decide import decide
from ropewalk.plan.known import Known, Observed
from ropewalk.plan.picture import to_dot
from ropewalk.recipe.recipe import ParentRole

BASE = recipe("bookworm")
APP = recipe('app:1"\\', "bookworm", parent("go", ParentRole.BUILD))


def test_a_box_an_image_and_an_arrow_a_parent() -> None:
    text = to_dot(decide((APP, BASE), Observed((Known(record(BASE), here=True, published=True),))))
    assert text.splitlines()[4:] == [
        '  "registry.example.org/bookworm:1" [label="bookworm\\n1", tooltip="current", fillcolor="#ffffff"];',
        '  "registry.example.org/app:1\\"\\\\" [label="app\\n1\\"\\\\\\nbuild", tooltip="never built", fillcolor="#f6c177"];',
        '  "registry.example.org/bookworm:1" -> "registry.example.org/app:1\\"\\\\";',
        '  "registry.example.org/go:latest" -> "registry.example.org/app:1\\"\\\\" [style=dashed];',
        '  "registry.example.org/go:latest" [style="rounded,dashed"];',
        "}",
    ]
