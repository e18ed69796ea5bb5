"""Lint of a tree: rules with a reason each, findings with file and line, all of them at once.

Nothing of the tree is run; templates are rendered in Jinja's sandbox.
"""

from ropewalk.recipe.lint.graph import changed, nowhere, unversioned, version_place
from ropewalk.recipe.lint.reading import Checked, check_recipes, ordered
from ropewalk.recipe.lint.rules import RULES, Finding, Level, Rule

__all__ = [
    "RULES",
    "Checked",
    "Finding",
    "Level",
    "Rule",
    "changed",
    "check_recipes",
    "nowhere",
    "ordered",
    "unversioned",
    "version_place",
]
