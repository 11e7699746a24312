"""String functions, by characters as GoogleSQL counts them.

Redshift ignores trailing blanks when it compares VARCHAR values, so no rule rests on `=` of texts: lengths and
positions are compared instead. https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from lakeshift.convert.build import call, cast, fill, number, text
from lakeshift.convert.rule import Refused, Rewrite, Typing
from lakeshift.convert.rules.arguments import (
    constant_int,
    constant_text,
    fixed,
    integer_text,
    is_null,
    need,
    need_int,
    need_text,
    or_else,
    put,
    refuse,
    simple,
    total,
    whole,
)
from lakeshift.convert.rules.casts import convert_kind

_ST, _TEXT, _BYTES = "STRING", ("STRING",), ("BYTES",)
# Unicode's White_Space, which TRIM takes away.
_BLANKS = "\t\n\x0b\x0c\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"


def _length(node: exp.Expr, typing: Typing) -> exp.Expr:
    kind = need(typing, node.this, "LENGTH", "STRING", "BYTES")
    return put("OCTET_LENGTH(_0)" if kind == "BYTES" else "LEN(_0)", "INT64", node.this)


def _byte_length(node: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, node.this, "BYTE_LENGTH", "STRING", "BYTES")
    return put("OCTET_LENGTH(_0)", "INT64", _typed_null(node.this))


def _typed_null(node: exp.Expr) -> exp.Expr:
    """A bare NULL as text: some functions need a type to be found by."""
    return cast(node, "VARCHAR(1)") if isinstance(node, exp.Null) else node


def _concat(node: exp.Expr, typing: Typing) -> exp.Expr:
    parts = [_as_text(part, typing) for part in node.expressions]
    kinds = {typing.kind(part) for part in node.expressions} - {"NULL"}
    if "BYTES" in kinds and kinds != {"BYTES"}:
        raise Refused("argument-type", "CONCAT of BYTES with another type", "cast the arguments.")
    return fixed(_joined(parts), "BYTES" if "BYTES" in kinds else _ST)


def _joined(parts: list[exp.Expr]) -> exp.Expr:
    made = parts[0]
    for part in parts[1:]:
        made = exp.DPipe(this=made, expression=fill("_0", part))
    return exp.Paren(this=made) if len(parts) > 1 else made


def _as_text(node: exp.Expr, typing: Typing) -> exp.Expr:
    kind = need(typing, node, "CONCAT", "STRING", "BYTES", "INT64", "DATE", "DATETIME", "TIMESTAMP", "BOOL")
    return node if kind in ("STRING", "BYTES", "NULL") else convert_kind(node, kind, _ST, safe=False)


def _left(node: exp.Expr, typing: Typing) -> exp.Expr:
    kind = or_else(need(typing, node.this, "LEFT", "STRING", "BYTES"), _ST)
    return put("SUBSTRING(_0, 1, _1)", kind, node.this, whole(node.expression))


def _right(node: exp.Expr, typing: Typing) -> exp.Expr:
    kind = or_else(need(typing, node.this, "RIGHT", "STRING", "BYTES"), _ST)
    count = _measure(kind)
    size = need_int(node.expression, "the length of RIGHT") if constant_int(node.expression) is not None else None
    if size is not None and size < 0:
        raise Refused("argument", "RIGHT of a negative length", "BigQuery refuses it too.")
    if size and kind == _ST:
        return put("RIGHT(_0, _1)", kind, _typed_null(node.this), whole(node.expression))
    template = f"SUBSTRING(_0, CASE WHEN {count} > _1 THEN {count} - _1 + 1 WHEN _1 >= 0 THEN 1 END)"
    return put(template, kind, node.this, whole(node.expression))


def _measure(kind: str) -> str:
    return "OCTET_LENGTH(_0)" if kind == "BYTES" else "LEN(_0)"


def _substring(node: exp.Expr, typing: Typing) -> exp.Expr:
    """Position 0 and positions before the beginning mean the first character; negative ones count from the end."""
    kind = or_else(need(typing, node.this, "SUBSTR", "STRING", "BYTES"), _ST)
    start, length = node.args.get("start"), node.args.get("length")
    if start is None:
        raise Refused("arguments", "SUBSTR without a position", "see GoogleSQL's reference.")
    nodes = [node.this, whole(start), *([whole(length)] if length else [])]
    from_here = _start(constant_int(start), _measure(kind))
    return put(f"SUBSTRING(_0, {from_here}{', _2' if length else ''})", kind, *nodes)


def _start(position: int | None, count: str) -> str:
    if position is None:
        return f"CASE WHEN _1 > 0 THEN _1 WHEN _1 = 0 OR {count} + _1 < 0 THEN 1 WHEN _1 < 0 THEN {count} + _1 + 1 END"
    if position >= 0:
        return str(max(position, 1))
    return f"CASE WHEN {count} > {-position} THEN {count} - {-position - 1} ELSE 1 END"


def _position(node: exp.Expr, typing: Typing) -> exp.Expr:
    """STRPOS and INSTR. An empty text is found at the first position."""
    need(typing, node.this, "STRPOS", "STRING", beside=node.args["substr"])
    need(typing, node.args["substr"], "STRPOS", "STRING")
    at = need_int(node.args.get("position"), "the position of INSTR", 1)
    occurrence = need_int(node.args.get("occurrence"), "the occurrence of INSTR", 1)
    if (at, occurrence) == (1, 1):
        return put(_found("STRPOS(_0, _1)", "1", node.args["substr"]), "INT64", node.this, node.args["substr"])
    sought = need_text(node.args["substr"], "INSTR with a position and a value")
    if not sought or at == 0 or occurrence not in (1, 2) or (at < 0 and occurrence > 1):
        raise Refused("argument", "INSTR with this value, position or occurrence", "use STRPOS of a SUBSTR.")
    return put(_instr(at, occurrence, len(sought)), "INT64", node.this, node.args["substr"])


def _instr(at: int, occurrence: int, size: int) -> str:
    if at < 0:
        reach = size - 1 + at + 1
        head = f"SUBSTRING(_0, 1, CASE WHEN LEN(_0) + {reach} > 0 THEN LEN(_0) + {reach} ELSE 0 END)"
        back = f"STRPOS(REVERSE({head}), REVERSE(_1))"
        return f"CASE WHEN {back} > 0 THEN LEN({head}) - {back} - {size - 2} ELSE {back} END"
    first = f"STRPOS(SUBSTRING(_0, {at}), _1)"
    if occurrence == 1:
        return f"CASE WHEN {first} > 0 THEN {first} + {at - 1} ELSE {first} END"
    second = f"STRPOS(SUBSTRING(_0, {first} + {at}), _1)"
    return f"CASE WHEN {first} > 0 AND {second} > 0 THEN {first} + {second} + {at - 1} WHEN {first} >= 0 THEN 0 END"


def _found(direct: str, empty: str, sought: exp.Expr) -> str:
    """The template for a search; what is sought may be empty at run time unless it is a constant."""
    value = constant_text(sought)
    if value:
        return direct
    if value == "":
        return f"CASE WHEN LEN(_0) >= 0 THEN {empty} END"
    return f"CASE WHEN LEN(_1) > 0 THEN {direct} WHEN LEN(_1) = 0 AND LEN(_0) >= 0 THEN {empty} END"


def _starts(node: exp.Expr, typing: Typing) -> exp.Expr:
    return _affix(node, typing, "STARTS_WITH", "STRPOS(_0, _1) = 1")


def _ends(node: exp.Expr, typing: Typing) -> exp.Expr:
    return _affix(node, typing, "ENDS_WITH", "STRPOS(REVERSE(_0), REVERSE(_1)) = 1")


def _affix(node: exp.Expr, typing: Typing, construct: str, direct: str) -> exp.Expr:
    sides = (node.this, node.expression)
    kinds = {need(typing, side, construct, "STRING", "BYTES", beside=node.expression) for side in sides} - {"NULL"}
    if len(kinds) > 1:
        raise Refused("argument-type", f"{construct} of STRING and BYTES", "cast one.")
    nodes = [call("TO_HEX", side) if kinds == {"BYTES"} else _typed_null(side) for side in sides]
    return put(_found(direct, "TRUE", node.expression), "BOOL", *nodes)


def _pad(node: exp.Expr, typing: Typing) -> exp.Expr:
    """BYTES are padded as hexadecimal digits, two for each."""
    name = "LPAD" if node.args.get("is_left") else "RPAD"
    kind = or_else(need(typing, node.this, name, "STRING", "BYTES"), _ST)
    pattern = node.args.get("fill_pattern") or (call("FROM_HEX", text("20")) if kind == "BYTES" else text(" "))
    need(typing, pattern, name, kind, "")
    if constant_text(pattern) == "":
        raise Refused("argument", f"{name} with an empty pattern", "BigQuery refuses it too.")
    if kind == "BYTES":
        return put(
            f"FROM_HEX({name}(TO_HEX(_0), 2 * _1, TO_HEX(_2)))", kind, node.this, whole(node.expression), pattern
        )
    return put(f"{name}(_0, _1, _2)", _ST, _typed_null(node.this), whole(node.expression), pattern)


def _trim(node: exp.Expr, typing: Typing) -> exp.Expr:
    name = {"LEADING": "LTRIM", "TRAILING": "RTRIM"}.get(str(node.args.get("position") or "").upper(), "BTRIM")
    need(typing, node.this, name, "STRING", beside=node.expression)
    source = _typed_null(node.this)
    if node.expression:
        need(typing, node.expression, name, "STRING")
        return put(f"{name}(_0, _1)", _ST, source, node.expression)
    return put(f"{name}(_0, _1)", _ST, source, text(_BLANKS))


def _replace(node: exp.Expr, typing: Typing) -> exp.Expr:
    found, new = node.expression, node.args["replacement"]
    for part in (node.this, found, new):
        need(typing, part, "REPLACE", "STRING", beside=found)
    if constant_text(found):
        return put("REPLACE(_0, _1, _2)", _ST, node.this, found, new)
    return put(
        "CASE WHEN LEN(_1) = 0 AND LEN(_2) >= 0 THEN _0 ELSE REPLACE(_0, _1, _2) END", _ST, node.this, found, new
    )


def _repeat(node: exp.Expr, typing: Typing) -> exp.Expr:
    kind = or_else(need(typing, node.this, "REPEAT", "STRING", "BYTES"), _ST)
    template = "FROM_HEX(REPEAT(TO_HEX(_0), _1))" if kind == "BYTES" else "REPEAT(_0, _1)"
    return put(template, kind, _typed_null(node.this), whole(node.args["times"]))


def _split(node: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, node.this, "SPLIT", "STRING", beside=node.expression)
    separator = need_text(node.expression or text(","), "the separator of SPLIT")
    if not separator:
        raise Refused("argument", "SPLIT into characters", "Redshift has no function for it.")
    made = "CASE WHEN LEN(_0) = 0 THEN ARRAY('') ELSE SPLIT_TO_ARRAY(_0, _1) END"
    return put(made, "ARRAY<STRING>", _typed_null(node.this), text(separator))


def _translate(node: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, node.this, "TRANSLATE", "STRING")
    source = need_text(node.args.get("from_"), "the characters of TRANSLATE")
    target = need_text(node.args.get("to"), "the characters of TRANSLATE")
    if len(set(source)) < len(source):
        raise Refused("argument", "TRANSLATE with a character twice", "BigQuery refuses it too.")
    return put("TRANSLATE(_0, _1, _2)", _ST, node.this, text(source), text(target))


def _chr(node: exp.Expr, _: Typing) -> exp.Expr:
    code = node.expressions[0]
    if is_null(code):
        return fixed(cast(exp.Null(), "VARCHAR(1)"), _ST)
    value = need_int(code, "the code point of CHR")
    if not 0 <= value <= 0x10FFFF or 0xD800 <= value <= 0xDFFF:
        raise Refused("argument", "CHR of what is no code point", "BigQuery refuses it too.")
    return fixed(text(_character(value)), _ST)


def _character(code: int) -> str:
    """Code point 0 gives no character."""
    return chr(code) if code else ""


def _codes(node: exp.Expr, construct: str) -> list[int | None]:
    """The items of an array of constants; NULLs are None."""
    array = node.this
    if not (isinstance(array, exp.Anonymous) and array.name == "ARRAY"):
        raise Refused("not-constant", f"{construct} of a computed array", "Redshift has no such function.")
    return [None if is_null(item) else need_int(item, "a code point") for item in array.expressions]


def _code_points(node: exp.Expr, _: Typing) -> exp.Expr:
    codes = [None] if is_null(node.this) else _codes(node, "CODE_POINTS_TO_STRING")
    if None in codes:
        return fixed(cast(exp.Null(), "VARCHAR(1)"), _ST)
    return fixed(text("".join(_character(code) for code in codes if code is not None)), _ST)


def _upper(node: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, node.this, "UPPER", "STRING")
    if any(len(letter.upper()) > 1 for letter in constant_text(node.this) or ""):
        raise Refused("argument", "UPPER of letters that become several", "write the text itself.")
    return put("UPPER(_0)", _ST, node.this)


def _ascii(node: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, node.this, "ASCII", "STRING")
    if not (constant_text(node.this) or "")[:1].isascii():
        raise Refused("argument", "ASCII of another character", "BigQuery refuses it too; use UNICODE.")
    return put("ASCII(_0)", "INT64", node.this)


def _code_bytes(node: exp.Expr, _: Typing) -> exp.Expr:
    codes = [None] if is_null(node.this) else _codes(node, "CODE_POINTS_TO_BYTES")
    if None in codes:
        return fixed(cast(exp.Null(), "VARBYTE(1)"), "BYTES")
    try:
        return fixed(call("FROM_HEX", text(bytes(code for code in codes if code is not None).hex())), "BYTES")
    except ValueError:
        raise Refused("argument", "CODE_POINTS_TO_BYTES beyond 255", "BigQuery refuses it too.") from None


def _to_code_points(node: exp.Expr, typing: Typing) -> exp.Expr:
    kind = need(typing, node.this, "TO_CODE_POINTS", "STRING", "BYTES")
    if kind == "NULL":
        return fixed(cast(exp.Null(), "SUPER"), "ARRAY<INT64>")
    if kind == "BYTES" and isinstance(node.this, exp.Anonymous) and node.this.name == "FROM_HEX":
        codes = list(bytes.fromhex(need_text(node.this.expressions[0], "the value of TO_CODE_POINTS")))
    else:
        codes = [ord(letter) for letter in need_text(node.this, "the value of TO_CODE_POINTS")]
    return fixed(call("ARRAY", *map(number, codes)), "ARRAY<INT64>")


def _to_hex(node: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, node.this, "TO_HEX", "BYTES")
    inner = node.this
    if (
        isinstance(inner, exp.Anonymous)
        and inner.name == "FROM_HEX"
        and isinstance(inner.expressions[0], exp.Anonymous)
    ):
        return fixed(inner.expressions[0], _ST)  # a hash that Redshift gives as hexadecimal digits already
    return put("TO_HEX(_0)", _ST, inner)


def _from_hex(node: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, node.this, "FROM_HEX", "STRING")
    value = constant_text(node.this)
    if value is None:
        return put(
            "FROM_HEX(CASE WHEN MOD(LEN(_0), 2) = 1 THEN '0' || _0 ELSE _0 END)", "BYTES", _typed_null(node.this)
        )
    if not re.fullmatch(r"[0-9a-fA-F]*", value):
        raise Refused("argument", "FROM_HEX of what is no hexadecimal text", "BigQuery refuses it too.")
    return put("FROM_HEX(_0)", "BYTES", text("0" * (len(value) % 2) + value))


# --- FORMAT ----------------------------------------------------------------------------------------------------------

_SPECIFIER = re.compile(r"%([-+ 0#']*)(\d*)(?:\.(\d+))?([a-zA-Z])|%%")


def _format(node: exp.Expr, typing: Typing) -> exp.Expr:
    """Constant formats of %s, %d, %i, %t and %T, with a width; a NULL makes the whole NULL except under %t and %T."""
    pattern = need_text(node.this, "the format of FORMAT")
    rest, parts, at = list(node.expressions), [], 0
    for found in _SPECIFIER.finditer(pattern):
        parts += _plain(pattern[at : found.start()])
        at = found.end()
        parts.append(text("%") if found[0] == "%%" else _specified(found, rest, typing))
    parts += _plain(pattern[at:])
    if rest:
        raise Refused("arguments", "FORMAT with more arguments than its format uses", "BigQuery refuses it too.")
    return fixed(_joined(parts or [text("")]), _ST)


def _plain(piece: str) -> list[exp.Expr]:
    if "%" in piece:
        raise Refused(
            "format-element", f"FORMAT with {piece[piece.index('%') :][:6]}", "format the value in the client."
        )
    return [text(piece)] if piece else []


def _specified(found: re.Match[str], rest: list[exp.Expr], typing: Typing) -> exp.Expr:
    flags, width, digits, letter = found.groups()
    if not rest:
        raise Refused("arguments", "FORMAT with fewer arguments than its format uses", "BigQuery refuses it too.")
    value = rest.pop(0)
    shown = _constant_format(found, value, typing)
    if shown is not None:
        return text(shown)
    maker = _LETTERS.get(letter)
    if maker is None or digits is not None or set(flags) - {"-"}:
        raise Refused("format-element", f"FORMAT with {found[0]}", "format the value in the client.")
    made = maker(value, typing)
    if not width:
        return made
    name, size = ("RPAD" if "-" in flags else "LPAD"), number(int(width))
    return fill(f"CASE WHEN LEN(_0) < _1 THEN {name}(_0, _1, ' ') ELSE _0 END", made, size)


def _constant_format(found: re.Match[str], value: exp.Expr, typing: Typing) -> str | None:
    """A number that is a constant, printed here as C's printf does; None for anything else."""
    flags, _, _, letter = found.groups()
    inner = value.this if isinstance(value, exp.Cast) else value
    known = constant_int(value) if typing.kind(value) == "INT64" and letter in "dixXo" else None
    if typing.kind(value) == "FLOAT64" and letter in "fFeE" and isinstance(inner, exp.Literal) and "'" not in flags:
        return found[0] % float(inner.name)
    if known is None:
        return None
    if "'" not in flags:
        return found[0] % known
    return f"{known:,}" if found[0] in ("%'d", "%'i") else None


def _s(value: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, value, "FORMAT with %s", "STRING")
    return _typed_null(value)


def _d(value: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, value, "FORMAT with %d", "INT64")
    return integer_text(value)


def _t(value: exp.Expr, typing: Typing) -> exp.Expr:
    """%t of what cannot be NULL: by GoogleSQL's reference NULL is printed as a word here, by other accounts not."""
    kind = need(typing, value, "FORMAT with %t", "STRING", "INT64", "BOOL", "DATE", "DATETIME", "TIMESTAMP")
    if not _is_present(value):
        raise Refused(
            "null-text", "FORMAT with %t or %T of a value that may be NULL", "use CAST, with IFNULL around it."
        )
    return value if kind == _ST else convert_kind(value, kind, _ST, safe=False)


def _is_present(node: exp.Expr) -> bool:
    """True for a constant other than NULL, and for IFNULL(x, constant)."""
    if isinstance(node, (exp.Paren, exp.Cast, exp.Neg)):
        return _is_present(node.this)
    if isinstance(node, (exp.Coalesce, exp.Anonymous)) and node.name.upper() == "COALESCE":
        return _is_present(node.expressions[-1])
    return isinstance(node, (exp.Literal, exp.Boolean))


def _capital_t(value: exp.Expr, typing: Typing) -> exp.Expr:
    """As %t, but a STRING stands in double quotes; it must be a constant without letters that would be escaped."""
    if need(typing, value, "FORMAT with %T", "INT64", "BOOL", _ST) != _ST:
        return _t(value, typing)
    shown = need_text(value, "the text of FORMAT with %T")
    if not shown.isprintable() or set(shown) & set('"\\'):
        raise Refused("format-element", "FORMAT with %T of a text with quotes", "format the value in the client.")
    return text(f'"{shown}"')


_LETTERS: dict[str, Callable[[exp.Expr, Typing], exp.Expr]] = {"s": _s, "d": _d, "i": _d, "t": _t, "T": _capital_t}


def _safe(node: exp.Expr, _: Typing) -> exp.Expr:
    """SAFE.F(x) is F(x) where F cannot fail; constants have been computed already."""
    made: exp.Expr = node.this
    constant = isinstance(made, exp.Literal) or (isinstance(made, exp.Cast) and isinstance(made.this, exp.Literal))
    if not (constant or made.meta.get("total")):
        raise Refused("safe", "SAFE. before a function that can fail", "Redshift cannot catch an error in a query.")
    return made


_NET = "Redshift has no functions of the network; take the text apart with SPLIT_PART."
_ADDRESSES = (
    *("IP_FROM_STRING", "SAFE_IP_FROM_STRING", "IP_TO_STRING", "IP_NET_MASK", "IP_TRUNC"),
    *("IPV4_FROM_INT64", "IPV4_TO_INT64", "PUBLIC_SUFFIX"),
)
RULES: dict[type[exp.Expr], Rewrite] = {
    exp.SafeFunc: _safe,
    exp.Ascii: _ascii,
    exp.ByteLength: total(_byte_length),
    exp.Chr: _chr,
    exp.CodePointsToBytes: _code_bytes,
    exp.CodePointsToString: _code_points,
    exp.Collate: refuse("COLLATE", "Redshift sets collation per column; compare with LOWER."),
    exp.Concat: total(_concat),
    exp.Contains: refuse("CONTAINS_SUBSTR", "Redshift cannot normalize text; use STRPOS(LOWER(a), LOWER(b)) > 0."),
    exp.EndsWith: total(_ends),
    exp.Format: _format,
    exp.FromBase64: simple("TO_VARBYTE(_0, 'base64')", "BYTES", "this", takes=_TEXT),
    exp.Initcap: refuse("INITCAP", "Redshift also begins a word after ', =, ` and every other mark."),
    exp.Left: _left,
    exp.Length: total(_length),
    exp.Levenshtein: refuse("EDIT_DISTANCE", "Redshift has no such function."),
    exp.Lower: total(simple("LOWER(_0)", _ST, "this", takes=_TEXT)),
    exp.LowerHex: total(_to_hex),
    exp.Hex: total(_to_hex),
    exp.Normalize: refuse("NORMALIZE", "Redshift cannot normalize text; do it before loading."),
    exp.Pad: _pad,
    exp.Repeat: _repeat,
    exp.Replace: total(_replace),
    exp.Reverse: total(simple("REVERSE(_0)", _ST, "this", takes=_TEXT)),
    exp.Right: _right,
    exp.SafeConvertBytesToString: refuse("SAFE_CONVERT_BYTES_TO_STRING", "Redshift refuses bytes that are not UTF-8."),
    exp.Soundex: refuse("SOUNDEX", "the two engines treat letters beyond ASCII, H and W differently."),
    exp.Split: total(_split),
    exp.StartsWith: total(_starts),
    exp.StrPosition: total(_position),
    exp.Substring: _substring,
    exp.ToBase32: refuse("TO_BASE32", "Redshift has no base 32; use TO_HEX or TO_BASE64."),
    exp.FromBase32: refuse("FROM_BASE32", "Redshift has no base 32; use FROM_HEX or FROM_BASE64."),
    exp.ToBase64: total(simple("FROM_VARBYTE(_0, 'base64')", _ST, "this", takes=_BYTES)),
    exp.ToCodePoints: _to_code_points,
    exp.Translate: _translate,
    exp.Trim: total(_trim),
    exp.Unhex: _from_hex,
    exp.Unicode: total(simple("ASCII(_0)", "INT64", "this", takes=_TEXT)),
    exp.Upper: total(_upper),
    exp.SessionUser: refuse("SESSION_USER", "the users of the two warehouses are not the same."),
    exp.Host: refuse("NET.HOST", _NET),
    exp.RegDomain: refuse("NET.REG_DOMAIN", _NET),
    exp.Uuid: refuse("GENERATE_UUID", "Redshift has no function for it; make keys when loading."),
}
NAMED: dict[str, Rewrite] = {
    **{name: refuse(f"NET.{name}", _NET) for name in _ADDRESSES},
    "ERROR": refuse("ERROR", "Redshift cannot raise an error in a query; filter such rows instead."),
}
