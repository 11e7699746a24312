"""Hash functions. GoogleSQL gives BYTES where Redshift gives hexadecimal digits.

https://docs.aws.amazon.com/redshift/latest/dg/hash-functions.html
"""

from __future__ import annotations

from sqlglot import exp

from lakeshift.convert.rule import Rewrite, Typing
from lakeshift.convert.rules.arguments import arity, need, need_int, put, simple, total

_TEXT = ("STRING",)


def _sha2(node: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, node.this, "SHA256", *_TEXT)
    bits = need_int(node.args.get("length"), "the length of SHA2", 256)
    return put(f"FROM_HEX(SHA2(_0, {bits}))", "BYTES", node.this)


def _fingerprint(node: exp.Expr, typing: Typing) -> exp.Expr:
    """Both are the Fingerprint64 of FarmHash: https://docs.aws.amazon.com/redshift/latest/dg/r_FARMFINGERPRINT64.html."""
    (value,) = arity(node, "FARM_FINGERPRINT", 1)
    need(typing, value, "FARM_FINGERPRINT", "STRING", "BYTES")
    return put("FARMFINGERPRINT64(_0)", "INT64", value)


RULES: dict[type[exp.Expr], Rewrite] = {
    exp.FarmFingerprint: total(_fingerprint),
    exp.MD5: total(simple("MD5(_0)", "STRING", "this", takes=_TEXT)),  # sqlglot's form of TO_HEX(MD5(x))
    exp.MD5Digest: total(simple("FROM_HEX(MD5(_0))", "BYTES", "this", takes=_TEXT)),
    exp.SHA1Digest: total(simple("FROM_HEX(SHA1(_0))", "BYTES", "this", takes=_TEXT)),
    exp.SHA2Digest: total(_sha2),
}
