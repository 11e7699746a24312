"""A reader over the Redshift tokens of sqlglot, for statements that are read word by word."""

from __future__ import annotations

from functools import lru_cache

from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from localcloud.redshift.errors import RedshiftError, syntax_error
from localcloud.redshift.reserved import RESERVED

MAX_IDENTIFIER_BYTES = 127
_NAMES = "https://docs.aws.amazon.com/redshift/latest/dg/r_names.html"
_END = Token(TokenType.SEMICOLON, "end of input")


# Texts that are read again and again, and short enough to keep the tokens of many.
REMEMBERED_LENGTH, REMEMBERED = 2_000, 1_000


def tokenize(sql: str) -> list[Token]:
    try:
        return list(_remembered(sql) if len(sql) <= REMEMBERED_LENGTH else _tokens(sql))
    except TokenError as error:
        raise RedshiftError(f"syntax error: {str(error).splitlines()[0]}", code="42601") from error


def _tokens(sql: str) -> tuple[Token, ...]:
    return tuple(Redshift().tokenize(sql))


_remembered = lru_cache(REMEMBERED)(_tokens)


def fold(name: str) -> str:
    """An identifier in the form Redshift keeps: lower case, even when it was quoted.

    https://docs.aws.amazon.com/redshift/latest/dg/r_enable_case_sensitive_identifier.html
    """
    if len(name.encode()) > MAX_IDENTIFIER_BYTES:
        message = f'identifier "{name[:20]}..." is longer than {MAX_IDENTIFIER_BYTES} bytes'
        raise RedshiftError(message, code="42622", link=_NAMES)
    return name.lower()


class TokenReader:
    """Reads tokens in order; every mismatch is a syntax error at that token."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._tokens = tokenize(sql)
        self._at = 0

    @property
    def current(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    @property
    def done(self) -> bool:
        return self._at >= len(self._tokens)

    def next(self) -> Token:
        token = self.current
        if self.done:
            raise syntax_error(token.text)
        self._at += 1
        return token

    def peek(self, *words: str) -> bool:
        ahead = self._tokens[self._at : self._at + len(words)]
        return [_plain(token) for token in ahead] == list(words)

    def accept(self, *words: str) -> bool:
        """Takes the words when all of them follow. Multi-word tokens of sqlglot count as their words."""
        if self.peek(*words):
            self._at += len(words)
            return True
        if len(words) > 1 and self.peek(" ".join(words)):
            self._at += 1
            return True
        return False

    def accept_one(self, *words: str) -> str | None:
        return next((word for word in words if self.accept(*word.split())), None)

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise syntax_error(self.current.text)

    def word(self) -> str:
        token = self.next()
        if token.token_type in (TokenType.STRING, TokenType.NUMBER):
            raise syntax_error(token.text)
        return token.text.upper()

    def name(self) -> str:
        token = self.next()
        if token.token_type is not TokenType.IDENTIFIER and not _is_bare_name(token):
            raise syntax_error(token.text)
        return fold(token.text)

    def path(self) -> tuple[str, ...]:
        """A dotted name, for example schema.table."""
        parts = [self.name()]
        while self.accept("."):
            parts.append(self.name())
        return tuple(parts)

    def names(self) -> list[str]:
        """A list of names in parentheses."""
        self.expect("(")
        found = [self.name()]
        while self.accept(","):
            found.append(self.name())
        self.expect(")")
        return found

    def string(self) -> str:
        token = self.next()
        if token.token_type is not TokenType.STRING:
            raise syntax_error(token.text)
        return token.text

    def integer(self) -> int:
        token = self.next()
        if not token.text.isdigit():
            raise syntax_error(token.text)
        return int(token.text)

    def end(self) -> None:
        self.accept(";")
        if not self.done:
            raise syntax_error(self.current.text)

    def rest(self) -> str:
        """The text from here on, which another reader takes over."""
        if self.done:
            return ""
        start = self.current.start
        self._at = len(self._tokens)
        return self.sql[start:]

    def expression(self, stops: frozenset[str]) -> str:
        """The text of one expression, up to a comma, a closing parenthesis or a stop word outside brackets."""
        start, depth, end = self.current.start, 0, self.current.start
        while not self.done:
            text = _plain(self.current)
            if depth == 0 and (text in {",", ")", ";"} or text in stops):
                break
            depth += {"(": 1, ")": -1, "CASE": 1, "END": -1}.get(text, 0)
            end = self.next().end + 1
        if end == start:
            raise syntax_error(self.current.text)
        return self.sql[start:end]


def _is_bare_name(token: Token) -> bool:
    spelled = token.text[:1].isalpha() or token.text[:1] in ("_", "#")
    return spelled and token.token_type is not TokenType.STRING and token.text.upper() not in RESERVED


def _plain(token: Token) -> str:
    """The token's word in upper case; a quoted identifier or a string is never a word."""
    if token.token_type in (TokenType.IDENTIFIER, TokenType.STRING):
        return ""
    return token.text.upper()
