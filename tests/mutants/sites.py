"""What can be changed in a module, and the changed code of a function."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Site:
    """One change: where, in which function, and what."""

    number: int
    line: int
    path: tuple[str, ...]  # of the function, from the module down; empty outside of any
    what: str


@dataclass
class _Found:
    node: ast.AST
    path: tuple[str, ...]
    what: str
    change: Callable[[], None]


def sites(source: str) -> list[Site]:
    """Every change that can be made."""
    found = _find(ast.parse(source))
    return [
        Site(number, getattr(one.node, "lineno", 0), one.path, one.what)
        for number, one in enumerate(found)
    ]


def changed(source: str, number: int, filename: str) -> CodeType:
    """The module's code with this change made."""
    tree = ast.parse(source)
    _find(tree)[number].change()
    return compile(ast.fix_missing_locations(tree), filename, "exec")


def function_in(code: CodeType, path: tuple[str, ...]) -> CodeType:
    """The code of the function at this path."""
    for name in path:
        code = next(
            one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name
        )
    return code


def _find(tree: ast.Module) -> list[_Found]:
    finder = _Finder()
    finder.body(tree.body, ())
    return finder.found


class _Finder:
    """Walks through functions. What only a log or an error's text would show is left out, and what
    is worked out when the module is read: defaults, decorators, class bodies."""

    def __init__(self) -> None:
        self.found: list[_Found] = []

    def body(self, statements: list[ast.stmt], path: tuple[str, ...]) -> None:
        """Functions and methods, whole; a function inside a function belongs to the outer one."""
        for one in statements:
            if isinstance(one, ast.ClassDef):
                self.body(one.body, (*path, one.name))
            elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
                self.function(one, (*path, one.name))

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, path: tuple[str, ...]) -> None:
        rest = node.body[1:] if ast.get_docstring(node) is not None else node.body
        for statement in rest:
            self.statement(statement, node.body, path)

    def statement(self, one: ast.stmt, among: list[ast.stmt], path: tuple[str, ...]) -> None:
        if _is_log(one) or isinstance(one, ast.Assert | ast.Import | ast.ImportFrom):
            return
        if isinstance(one, ast.FunctionDef):
            self.function(one, path)
            return
        if _can_go(one):
            self.add(one, path, f"without: {_short(one)}", _without(one, among))
        if isinstance(one, ast.Return) and one.value is not None and not _is_none(one.value):
            self.add(one, path, f"return None: {_short(one)}", _set(one, "value", _none()))
        if isinstance(one, ast.Break | ast.Continue):
            other = ast.Continue() if isinstance(one, ast.Break) else ast.Break()
            self.add(one, path, f"{_short(one)} the other way", _instead(one, other, among))
        if isinstance(one, ast.If | ast.While) and not _is_plain(one.test):
            negated = ast.UnaryOp(ast.Not(), one.test)
            self.add(one.test, path, f"if not {_short(one.test)}", _set(one, "test", negated))
        if isinstance(one, ast.Raise):
            return
        self.inside(one, path)

    def inside(self, one: ast.stmt, path: tuple[str, ...]) -> None:
        for name, value in ast.iter_fields(one):
            if name == "annotation":
                continue
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                for statement in value:
                    self.statement(statement, value, path)
            elif isinstance(value, list):
                for part in value:
                    self.part(part, path)
            elif isinstance(value, ast.AST):
                self.part(value, path)

    def part(self, node: ast.AST, path: tuple[str, ...]) -> None:
        """What is no statement."""
        if isinstance(node, ast.ExceptHandler | ast.match_case):
            for statement in node.body:
                self.statement(statement, node.body, path)
            return
        for one in _expressions(node):
            self.expression(one, path)

    def expression(self, one: ast.AST, path: tuple[str, ...]) -> None:
        text = _short(one)
        if isinstance(one, ast.Compare):
            for place, operator in enumerate(one.ops):
                other = _COMPARISONS[type(operator)]()
                what = f"{type(operator).__name__} → {type(other).__name__}: {text}"
                self.add(one, path, what, _put(one.ops, place, other))
        elif isinstance(one, ast.BoolOp):
            other_op = ast.Or() if isinstance(one.op, ast.And) else ast.And()
            self.add(one, path, f"and ↔ or: {text}", _set(one, "op", other_op))
        elif isinstance(one, ast.BinOp) and type(one.op) in _OPERATORS:
            swapped = _OPERATORS[type(one.op)]()
            what = f"{type(one.op).__name__} → {type(swapped).__name__}: {text}"
            self.add(one, path, what, _set(one, "op", swapped))
        elif isinstance(one, ast.Constant) and one.value is not None and one.value is not ...:
            value = _other(one.value)
            self.add(one, path, f"{one.value!r} → {value!r}", _set(one, "value", value))
        elif isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.Not):
            self.add(one, path, f"no not: {text}", _drop_not(one))
        elif isinstance(one, ast.IfExp):
            negated = ast.UnaryOp(ast.Not(), one.test)
            self.add(one, path, f"if not: {text}", _set(one, "test", negated))

    def add(
        self, node: ast.AST, path: tuple[str, ...], what: str, change: Callable[[], None]
    ) -> None:
        self.found.append(_Found(node, path, what, change))


def _expressions(node: ast.AST) -> Iterator[ast.AST]:
    """This node and what is in it, without annotations, and texts that are only shown."""
    if isinstance(node, ast.JoinedStr):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _expressions(child)


def _is_log(one: ast.stmt) -> bool:
    return (
        isinstance(one, ast.Expr)
        and isinstance(one.value, ast.Call)
        and ast.unparse(one.value.func).startswith(("log.", "failpoints."))
    )


def _can_go(one: ast.stmt) -> bool:
    if isinstance(one, ast.Expr):
        return isinstance(one.value, ast.Call)
    if isinstance(one, ast.Assign):
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in one.targets)
    return isinstance(one, ast.AugAssign | ast.Delete | ast.Raise)


def _without(one: ast.stmt, among: list[ast.stmt]) -> Callable[[], None]:
    return _instead(one, ast.Pass(), among)


def _instead(one: ast.stmt, other: ast.stmt, among: list[ast.stmt]) -> Callable[[], None]:
    def change() -> None:
        among[among.index(one)] = ast.copy_location(other, one)

    return change


def _set(node: ast.AST, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, name, value)


def _put(values: list[ast.cmpop], place: int, value: ast.cmpop) -> Callable[[], None]:
    return lambda: values.__setitem__(place, value)


def _drop_not(one: ast.UnaryOp) -> Callable[[], None]:
    def change() -> None:
        one.operand = ast.UnaryOp(ast.Not(), copy.copy(one.operand))

    return change


def _is_plain(test: ast.expr) -> bool:
    """Whether another change turns it round already."""
    single = isinstance(test, ast.Compare) and len(test.ops) == 1
    negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return negated or (
        single and isinstance(test.ops[0], ast.Eq | ast.NotEq | ast.Is | ast.IsNot | ast.In)
    )


def _other(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 2 + 1
    if isinstance(value, str):
        return f"{value}X"
    return bytes(value) + b"X" if isinstance(value, bytes) else None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _none() -> ast.Constant:
    return ast.Constant(None)


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 70 else f"{text[:69]}…"
