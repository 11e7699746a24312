"""PartiQL in FROM as syntax: `t.items AS i AT position` and `UNPIVOT t.object AS v AT k`.

https://docs.aws.amazon.com/redshift/latest/dg/query-super.html#unnest
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.expressions import DType
from sqlglot.parsers.redshift import RedshiftParser
from sqlglot.tokenizer_core import TokenType

from localcloud.redshift.errors import NotInTwinError

_LEAST_STEPS_OF_A_PATH = 4


class Iteration(exp.Unnest):
    """One FROM item over a SUPER value; `path` is as written, `expressions` the value once its root is known."""

    arg_types: ClassVar = {**exp.Unnest.arg_types, "path": False, "unpivot": False}

    @property
    def steps(self) -> list[exp.Expr]:
        return list(self.args["path"])

    @property
    def variable(self) -> str:
        """The name of the element."""
        return str(self.args["alias"].columns[0].name)

    @property
    def position(self) -> str:
        """The name after AT, or nothing."""
        offset = self.args.get("offset")
        return str(offset.name) if offset else ""


def iteration_type(annotator: Any, node: Iteration) -> Iteration:
    """Elements are SUPER; the index is BIGINT, an attribute's name VARCHAR (see `iterations.py`)."""
    annotator._set_type(node, DType.SUPER)
    return node


class PartiqlParser(RedshiftParser):
    """Reads the FROM items that can only be iterations; what may be a table as well is decided in `iterations.py`."""

    SUPPORTS_IMPLICIT_UNNEST = False

    def _parse_table(
        self,
        schema: bool = False,
        joins: bool = False,
        alias_tokens: Collection[TokenType] | None = None,
        parse_bracket: bool = False,
        is_db_reference: bool = False,
        parse_partition: bool = False,  # noqa: ARG002  (sqlglot's signature)
        consume_pipe: bool = False,  # noqa: ARG002
    ) -> exp.Expr | None:
        found = None if schema or is_db_reference else self._parse_iteration()
        return found or super()._parse_table(
            schema=schema,
            joins=joins,
            alias_tokens=alias_tokens,
            parse_bracket=parse_bracket,
            is_db_reference=is_db_reference,
        )

    def _parse_iteration(self) -> Iteration | None:
        start = self._index
        unpivot = bool(self._match(TokenType.UNPIVOT))
        steps = self._parse_steps()
        alias = self._parse_item_name() if steps else None
        position = self._parse_id_var() if alias and self._match_text_seq("AT") else None
        foreign = any(isinstance(step, exp.Literal) for step in steps) or len(steps) >= _LEAST_STEPS_OF_A_PATH
        if not (steps and (unpivot or position or foreign)):
            self._retreat(start)
            return None
        return iteration(steps, alias, position, unpivot=unpivot)

    def _parse_steps(self) -> list[exp.Expr]:
        first = self._parse_id_var(any_token=False)
        steps: list[exp.Expr] = [first] if isinstance(first, exp.Identifier) else []
        while steps:
            if self._match(TokenType.DOT):
                step: exp.Expr | None = self._parse_id_var(any_token=True)
            elif self._match(TokenType.L_BRACKET):
                step = self._parse_number()
                self._match(TokenType.R_BRACKET)
            else:
                return steps
            if step is None:
                return []
            steps.append(step)
        return steps

    def _parse_item_name(self) -> exp.Expr | None:
        named = self._match(TokenType.ALIAS)
        return self._parse_id_var(any_token=bool(named), tokens=self.TABLE_ALIAS_TOKENS)


def iteration(steps: list[exp.Expr], alias: exp.Expr | None, position: exp.Expr | None, *, unpivot: bool) -> Iteration:
    if alias is None:
        raise NotInTwinError("iteration over SUPER without an alias: write `path AS name`")
    name = alias.name.lower()
    columns = exp.TableAlias(this=exp.to_identifier(name), columns=[exp.to_identifier(name)])
    offset = exp.to_identifier(position.name.lower()) if position else None
    return Iteration(path=steps, alias=columns, offset=offset, unpivot=unpivot)
