"""Regular expressions: BigQuery's RE2 in Redshift's PCRE option, for constant patterns that mean the same in both.

https://github.com/google/re2/wiki/Syntax, https://docs.aws.amazon.com/redshift/latest/dg/REGEXP_SUBSTR.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from lakeshift.convert.build import cast, number, text
from lakeshift.convert.rule import Refused, Rewrite, Typing
from lakeshift.convert.rules.arguments import fixed, is_null, need, need_int, need_text, put, refuse, total

_ADVICE = "write it with LIKE, STRPOS or SPLIT_PART, or simplify the pattern."
_TOKEN = re.compile(
    r"""(?P<escape>\\.)
      | (?P<set>\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\])
      | (?P<open>\((?:\?(?::|P<\w+>|[a-zA-Z]+\)|.?))?)
      | (?P<close>\))
      | (?P<repeat>[*+?]\??|\{\d+(?:,\d*)?\}\??)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_IN_SET = re.compile(r"\\.|\[:\^?\w+:\]|.", re.DOTALL)
# RE2 means ASCII by these, and no vertical tab by \s; PCRE is told so letter by letter.
_BLANK = r"\t\n\f\r "
_SAME = frozenset("dDwWbB")
_CONTROL = {"t": r"\t", "n": r"\n", "f": r"\f", "r": r"\r", "v": r"\x0b", "a": r"\x07"}
_CLASSES = ("alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "upper", "xdigit")


@dataclass(frozen=True)
class Pattern:
    """A pattern for the PCRE option.

    Attributes:
        text: the pattern.
        groups: how many groups capture.
        certain: whether the one group takes part in every match.
    """

    text: str
    groups: int
    certain: bool

    @property
    def may_be_empty(self) -> bool:
        """True when a match may have no characters; the two engines count such matches differently."""
        return re.search(_for_python(re.sub(r"\\[bB]", "", self.text)), "") is not None


def _for_python(pattern: str) -> str:
    """The pattern in Python's dialect, which has no classes of letters; here any letter will do."""
    return re.sub(r"\[:\^?\w+:\]", r"\\w", pattern).replace(r"\z", r"\Z")


def portable(pattern: str) -> Pattern:
    """The same pattern for Redshift.

    Raises:
        Refused: an element is not in both dialects, or means something else in the other.
    """
    made = "".join(_translated(pattern))
    try:
        groups = re.compile(_for_python(made)).groups
    except re.error as error:
        raise Refused("regexp", f"the pattern {pattern[:60]}: {error}", _ADVICE) from None
    return Pattern(made, groups, _is_certain(pattern))


def _translated(pattern: str) -> Iterator[str]:
    after_repeat = False
    for found in _TOKEN.finditer(pattern):
        kind, element = str(found.lastgroup), found[0]
        if kind == "repeat" and after_repeat:
            raise _foreign(element)
        after_repeat = kind == "repeat"
        yield _PIECES[kind](element, found.start())


def _foreign(element: str) -> Refused:
    return Refused("regexp", f"the element {element} of a regular expression", _ADVICE)


def _escape(element: str, _: int) -> str:
    letter = element[1]
    if letter in _SAME or letter in "Az":
        return element
    if letter in "sS":
        return f"[{'^' if letter == 'S' else ''}{_BLANK}]"
    if letter in _CONTROL:
        return _CONTROL[letter]
    if letter.isascii() and not letter.isalnum():
        return element
    raise _foreign(element)


def _set(element: str, _: int) -> str:
    head = re.match(r"\[\^?\]?", element)
    start = head.end() if head else 1
    return element[:start] + "".join(_member(found[0]) for found in _IN_SET.finditer(element[start:-1])) + "]"


def _member(element: str) -> str:
    if element == r"\s":
        return _BLANK
    if element.startswith("[:"):
        if element[2:-2] in _CLASSES:
            return element
        raise _foreign(element)
    if element[0] == "\\" and element[1:] not in ("d", "w", "D", "W"):
        return _escape(element, 0) if element[1] not in "sSbBAz" else _refused(element)
    if element[0] == "[":
        return r"\["
    return element


def _refused(element: str) -> str:
    raise _foreign(element)


def _open(element: str, position: int) -> str:
    if element in ("(", "(?:") or element.startswith("(?P<"):
        return element
    if element in ("(?i)", "(?s)", "(?is)", "(?si)") and position == 0:
        return element
    raise _foreign(element)


def _other(element: str, _: int) -> str:
    if element == "$":
        return r"\z"
    if element in "{[\\" or element == "\0":
        raise _foreign(element)
    return element


_PIECES = {
    "escape": _escape,
    "set": _set,
    "open": _open,
    "close": lambda element, _: element,
    "repeat": lambda element, _: element,
    "other": _other,
}


def _is_certain(pattern: str) -> bool:
    """True when each capturing group stands at the top, in no alternative and under no repetition."""
    inside: list[bool] = []
    captured = False
    for found in _TOKEN.finditer(pattern):
        kind, element = found.lastgroup, found[0]
        if (kind == "repeat" and captured) or (element == "|" and kind == "other" and not inside):
            return False
        captured = False
        if kind == "open" and not re.fullmatch(r"\(\?[a-zA-Z]+\)", element):
            if element != "(?:" and inside:
                return False
            inside.append(element != "(?:")
        elif kind == "close" and inside:
            captured = inside.pop()
    return True


# --- rules -----------------------------------------------------------------------------------------------------------


def _subject(node: exp.Expr, typing: Typing, construct: str) -> exp.Expr:
    need(typing, node.this, construct, "STRING", beside=node.expression)
    return cast(node.this, "VARCHAR(1)") if isinstance(node.this, exp.Null) else node.this


def _pattern(node: exp.Expr, construct: str) -> Pattern:
    return portable(need_text(node.expression, f"the pattern of {construct}"))


def _need_text(found: Pattern, construct: str) -> None:
    if found.may_be_empty:
        raise Refused("regexp-empty", f"{construct} with a pattern that an empty text matches", _ADVICE)


def _null(kind: str, width: str) -> exp.Expr:
    return fixed(cast(exp.Null(), width), kind)


def _contains(node: exp.Expr, typing: Typing) -> exp.Expr:
    construct = "REGEXP_CONTAINS"
    subject = _subject(node, typing, construct)
    if is_null(node.expression):
        return _null("BOOL", "BOOLEAN")
    found = _pattern(node, construct)
    if found.may_be_empty and _is_anchored(found.text):
        shown = text(f"^x(?:{found.text[1:]})")
        return put("REGEXP_INSTR('x' || _0, _1, 1, 1, 0, 'p') > 0", "BOOL", subject, shown)
    _need_text(found, construct)
    return put("REGEXP_INSTR(_0, _1, 1, 1, 0, 'p') > 0", "BOOL", subject, text(found.text))


def _is_anchored(pattern: str) -> bool:
    """True for one alternative that starts at the beginning: a letter before both makes every match longer."""
    depth = 0
    for found in _TOKEN.finditer(pattern):
        depth += (found.lastgroup == "open") - (found.lastgroup == "close")
        if (found[0] == "|" and not depth) or found[0] in (r"\b", r"\B", r"\A") or (found[0] == "^" and found.start()):
            return False
    return pattern.startswith("^")


def _looks_back(pattern: str) -> bool:
    return any(found[0] in ("^", r"\b", r"\B", r"\A") for found in _TOKEN.finditer(pattern))


def _where(node: exp.Expr, construct: str, found: Pattern) -> tuple[int, int]:
    position = need_int(node.args.get("position"), f"the position of {construct}", 1)
    occurrence = need_int(node.args.get("occurrence"), f"the occurrence of {construct}", 1)
    if position < 1 or occurrence < 1:
        raise Refused("argument", f"{construct} with a position or an occurrence below 1", "BigQuery refuses it too.")
    if position > 1 and _looks_back(found.text):
        raise Refused("regexp", f"{construct} from a position with a pattern that looks back", _ADVICE)
    return position, occurrence


def _extract(node: exp.Expr, typing: Typing) -> exp.Expr:
    """Redshift gives an empty text where nothing matches, GoogleSQL NULL."""
    construct = "REGEXP_EXTRACT"
    subject = _subject(node, typing, construct)
    if is_null(node.expression):
        return _null("STRING", "VARCHAR(1)")
    found = _pattern(node, construct)
    _need_text(found, construct)
    if found.groups > 1 or (found.groups and not found.certain):
        raise Refused("regexp-group", f"{construct} with a group that may not take part in the match", _ADVICE)
    position, occurrence = map(number, _where(node, construct, found))
    flags = "ep" if found.groups else "p"
    template = f"CASE WHEN REGEXP_INSTR(_0, _1, _2, _3, 0, 'p') > 0 THEN REGEXP_SUBSTR(_0, _1, _2, _3, '{flags}') END"
    return put(template, "STRING", subject, text(found.text), position, occurrence)


def _instr(node: exp.Expr, typing: Typing) -> exp.Expr:
    construct = "REGEXP_INSTR"
    subject = _subject(node, typing, construct)
    if is_null(node.expression):
        return _null("INT64", "BIGINT")
    found = _pattern(node, construct)
    _need_text(found, construct)
    if found.groups:
        raise Refused("regexp-group", f"{construct} with a group", "make the group (?:...), or use STRPOS.")
    position, occurrence = map(number, _where(node, construct, found))
    after = need_int(node.args.get("option"), "the occurrence_position of REGEXP_INSTR", 0)
    if after not in (0, 1):
        raise Refused("argument", f"{construct} with occurrence_position {after}", "BigQuery refuses it too.")
    template = f"REGEXP_INSTR(_0, _1, _2, _3, {after}, 'p')"
    return put(template, "INT64", subject, text(found.text), position, occurrence)


def _replace(node: exp.Expr, typing: Typing) -> exp.Expr:
    construct = "REGEXP_REPLACE"
    subject = _subject(node, typing, construct)
    if is_null(node.expression) or is_null(node.args["replacement"]):
        return _null("STRING", "VARCHAR(1)")
    found = _pattern(node, construct)
    _need_text(found, construct)
    replacement = need_text(node.args["replacement"], f"the replacement of {construct}")
    if re.search(r"[\\$]", replacement):
        raise Refused("regexp-reference", f"{construct} with {replacement[:40]}", "Redshift documents no references.")
    return put("REGEXP_REPLACE(_0, _1, _2, 1, 'p')", "STRING", subject, text(found.text), text(replacement))


RULES: dict[type[exp.Expr], Rewrite] = {
    exp.RegexpExtract: total(_extract),
    exp.RegexpExtractAll: refuse("REGEXP_EXTRACT_ALL", "Redshift gives one match at a time: use REGEXP_EXTRACT."),
    exp.RegexpInstr: total(_instr),
    exp.RegexpLike: total(_contains),
    exp.RegexpReplace: total(_replace),
}
