"""Values of rows as results and reports may show them. Pure but for a salt.

What is hidden is told by its kind, its length, and a tag: values that are equal have the same one within one report, so
that a reader sees which value stands in the place of which. Tags are salted anew for each report and the salt is kept
nowhere; nobody finds a value by trying.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from lakeshift.masked import sample
from lakeshift.model import Column, Kind, Masking
from lakeshift.validate.columns import Checked
from lakeshift.validate.exact import ABSENT, Leaf, Node, shown, token

# Shown where only texts and bytes are hidden.
_NUMBERS = frozenset(
    kind.value
    for kind in Kind
    if kind not in {Kind.STRING, Kind.BYTES, Kind.INTERVAL, Kind.GEOGRAPHY, Kind.GEOMETRY, Kind.JSON}
) | {"number", "null"}
_NAME = re.compile(r'\.(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>\w+))')
# What looks like a name that somebody has given to a field, not like a value that stands in its place.
_WORD = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)


@dataclass(frozen=True)
class Shown:
    """What of values is shown in one report."""

    policy: Masking = Masking.ALL
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)

    def value(self, node: Node) -> str:
        """A value, or what may be said of it. That it is NULL, or not there, is always said."""
        if node is None:
            return "NULL"
        if node == ABSENT:
            return "absent"
        return self._hidden(node) if self._hides(node) else _encodable(shown(node))

    def path(self, path: str, column: Checked) -> str:
        """A path into a value of a column; names inside JSON that could be values themselves are hidden."""
        if self.policy is Masking.NONE:
            return _encodable(path)
        known = set(_names(column.source))

        def named(found: re.Match[str]) -> str:
            name = found["plain"] or json.loads(f'"{found["quoted"]}"')
            return found[0] if name in known or _WORD.fullmatch(name) else f".{sample(name)}"

        return column.path + _NAME.sub(named, path.removeprefix(column.path))

    def _hides(self, node: Node) -> bool:
        if self.policy is not Masking.TEXT:
            return self.policy is Masking.ALL
        if isinstance(node, dict):
            return True
        if isinstance(node, list):
            return any(one is not None and self._hides(one) for one in node)
        return isinstance(node, Leaf) and node.kind not in _NUMBERS

    def _hidden(self, node: Node) -> str:
        tag = hashlib.blake2b(token(node).encode(), digest_size=8, key=self.salt).hexdigest()
        return f"<{_described(node)}; #{tag}>"


def _encodable(text: str) -> str:
    """A text that a file can hold: bytes that are no UTF-8, and halves of characters, are written as escapes."""
    return text.encode(errors="backslashreplace").decode()


def _described(node: Node) -> str:
    """What may be said of a hidden value; of what has few values, its length would tell which one it is."""
    if not isinstance(node, Leaf):
        return f"{'fields' if isinstance(node, dict) else 'elements'}: {len(node or ())}"
    if node.kind == Kind.BYTES:
        return f"{node.kind}: {len(node.text) // 2} bytes"
    return node.kind if node.kind in _NUMBERS else f"{node.kind}: {sample(node.text)[1:-1]}"


def _names(column: Column) -> Iterator[str]:
    """Names of the fields inside a column."""
    for one in column.fields:
        yield one.name
        yield from _names(one)
