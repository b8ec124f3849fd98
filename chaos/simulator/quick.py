"""What Django works out anew for each question, and comes out the same each time, is kept.

Half of a schedule's time went into the making of SQL. Whole rows of a table are asked for again and
again, so the columns of a model, their conversion, and the form of a statement are worked out once.
Nothing here knows of sending; `python -m chaos.simulate --plain` goes without it.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from django.db import connection
from django.db.backends.sqlite3.base import SQLiteCursorWrapper
from django.db.models.expressions import Col
from django.db.models.sql.compiler import SQLCompiler

_EVERYTHING = (frozenset[str](), True)  # Django's word for "no column is put off"
_selects: dict[type, tuple[Any, Any, Any]] = {}
_converters: dict[tuple[int, ...], tuple[list[Any], dict[int, Any]]] = {}


def install() -> None:
    """Puts it in, for the rest of the process."""
    SQLCompiler.get_select = _get_select  # type: ignore[method-assign]
    SQLCompiler.get_converters = _get_converters  # type: ignore[method-assign]
    SQLiteCursorWrapper.convert_query = _convert_query
    connection.ops.quote_name = lru_cache(maxsize=None)(connection.ops.quote_name)  # type: ignore[method-assign]


_real_select = SQLCompiler.get_select
_real_converters = SQLCompiler.get_converters
_real_convert = SQLiteCursorWrapper.convert_query


def _get_select(self: Any, with_col_aliases: bool = False) -> Any:
    """The columns of a whole row, where nothing else is asked for."""
    query = self.query
    if with_col_aliases or not _is_whole_row(query):
        return _real_select(self, with_col_aliases)
    known = _selects.get(query.model)
    if known is None:
        known = _selects[query.model] = _real_select(self)
    select, klass, annotations = known
    return list(select), dict(klass), dict(annotations)


def _is_whole_row(query: Any) -> bool:
    return (
        query.default_cols
        and not query.select_related
        and not query.extra
        and not query.annotations
        and query.selected is None
        and query.deferred_loading == _EVERYTHING
        and query.get_initial_alias() == query.model._meta.db_table
        and not query.combinator
    )


def _get_converters(self: Any, expressions: Any) -> dict[int, Any]:
    """By the very columns, which are kept so that nothing else takes their place in memory."""
    columns = list(expressions)
    if not all(type(one) is Col for one in columns):
        return _real_converters(self, columns)
    key = tuple(map(id, columns))
    known = _converters.get(key)
    if known is None:
        if len(_converters) > 500:  # of columns that were made for one question
            _converters.clear()
        known = _converters[key] = (columns, _real_converters(self, columns))
    return known[1]


@cache
def _converted(query: str) -> str:
    return str(_real_convert(None, query))


def _convert_query(self: Any, query: str, *, param_names: list[str] | None = None) -> str:
    if param_names is not None:
        return str(_real_convert(self, query, param_names=param_names))
    return _converted(query)
