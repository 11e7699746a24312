"""Errors as Redshift words them, and the marker for what only the twin cannot do."""

from __future__ import annotations


class RedshiftError(Exception):
    """A statement that Redshift refuses.

    `code` is the SQLSTATE, `link` the AWS page that states the rule. The statement had no effect.
    """

    def __init__(self, message: str, *, code: str = "XX000", detail: str = "", link: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.detail = detail
        self.link = link

    def __str__(self) -> str:
        detail = f"\n  Detail: {self.detail}" if self.detail else ""
        link = f" (see {self.link})" if self.link else ""
        return f"ERROR: {self.message}{link}{detail}"


IN_TWIN_ONLY = "the local Redshift twin does not support"


class NotInTwinError(RedshiftError):
    """Valid Redshift, perhaps, but the twin cannot run it with certainty and therefore refuses it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{IN_TWIN_ONLY} {what}", code="0A000")


def syntax_error(near: str) -> RedshiftError:
    return RedshiftError(f'syntax error at or near "{near}"', code="42601")


def unsupported(what: str, link: str = "") -> RedshiftError:
    return RedshiftError(f"{what} is not supported", code="0A000", link=link)


def no_relation(name: str) -> RedshiftError:
    return RedshiftError(f'relation "{name}" does not exist', code="42P01")


def no_column(name: str) -> RedshiftError:
    return RedshiftError(f'column "{name}" does not exist', code="42703")


def no_schema(name: str) -> RedshiftError:
    return RedshiftError(f'schema "{name}" does not exist', code="3F000")


def relation_exists(name: str) -> RedshiftError:
    return RedshiftError(f'Relation "{name}" already exists', code="42P07")


_OTHER_OBJECTS = frozenset(
    {"EXTERNAL", "MATERIALIZED", "FUNCTION", "PROCEDURE", "USER", "GROUP", "ROLE", "LIBRARY", "MODEL", "DATASHARE"}
)


def unknown_object(verb: str, word: str) -> RedshiftError:
    """For CREATE, ALTER or DROP of something that is neither schema, table nor view."""
    return NotInTwinError(f"{verb} {word.upper()}") if word.upper() in _OTHER_OBJECTS else syntax_error(word)
