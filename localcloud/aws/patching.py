"""The one place where members of moto's classes and modules are replaced."""

from __future__ import annotations

from typing import Any


def replace_members(owner: Any, **members: Any) -> None:
    """Replaces members of a class or module that exist already; AttributeError for one that does not.

    A new version of moto that has renamed what the twin corrects is noticed when the twin starts.
    """
    for name, value in members.items():
        getattr(owner, name)
        setattr(owner, name, value)
