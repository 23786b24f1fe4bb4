"""Names for subexpressions that repeat and are long: `h = tanh(W x)`, written once.

One walk from the top of the DAG counts how often each node would be written, another from the bottom how long that would
be; both are linear in the number of nodes. An expression gets names only where it is clearly shorter with them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from matgrad import expr as ex
from matgrad.expr import Expr

LONG = 6  # symbols of a subexpression that is worth a name, if it is written more than once
LONG_CALL = 3  # the same for a function of something
LONG_VALUE = 8  # the same for what has a name already, however often it is written
SHORTER = (
    0.75  # names are given where at most this part of the symbols remains, definitions included;
)
LINE, LITTLE_SHORTER = 40, 0.9  # this part is enough for more symbols than stand on a line

# The letters for a scalar, for a vector or row, and for a matrix.
_LETTERS = {ex.SCALAR: "kcabst", ex.VECTOR: "hrzuqv", ex.ROW: "hrzuqv", ex.MATRIX: "HMGEFN"}


def named(
    roots: Sequence[Expr], taken: Collection[str], value: Expr, value_name: str
) -> dict[Expr, str]:
    """Names for subexpressions of the roots. A definition uses only names that stand before it.

    `taken` are names that mean something else. `value` is an expression that the reader knows by the name `value_name`, so
    that its formula counts as nothing. Empty where names would not make the roots clearly shorter.
    """
    order = ex.postorder(*roots)
    chosen = _repeated(order, roots, value)
    if value in chosen and value not in order:
        order = ex.postorder(value, *roots)
    plain = sum(map(ex.cost, roots))
    part = LITTLE_SHORTER if plain > LINE else SHORTER
    chosen, length = _worth_it(order, roots, chosen, value)
    if not chosen or length > part * plain:
        return {}
    used = {*taken, value_name}
    kinds = [_LETTERS[e.shape.kind] for e in chosen if e is not value]
    supply = {letters: _supply(letters, kinds.count(letters) > 1, used) for letters in kinds}
    names: dict[Expr, str] = {}
    for node in order:
        if node is value and node in chosen:
            names[node] = value_name
        elif node in chosen:
            names[node] = next(supply[_LETTERS[node.shape.kind]])
    return names


Products = Mapping[Expr, Sequence[Expr]]  # by their first factor


def written_factors(e: Expr, products: Products) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
    """The scalars and the chain of a product, in which the factors of a named product (a quotient, mostly) are one."""
    scalars, chain = e.scalars, e.chain
    for product in [p for s in e.scalars for p in products.get(s, ())]:
        whole = _closed(chain) if e.is_scalar else ()
        rest = [*scalars, *whole]
        wanted = (*product.scalars, *_closed(product.chain))
        if e is not product and all(_taken_out(s, rest) for s in wanted):
            if not _taken_out(whole[0] if whole else None, rest):
                chain = () if whole else chain
            scalars = (product, *rest)
    return scalars, chain


def _closed(chain: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The chain of a scalar product, x'A x in (x'A x)/c, as one factor."""
    return (ex.mul(*chain),) if chain else ()


def _taken_out(s: Expr | None, rest: list[Expr]) -> bool:
    """Whether s stood in the list; it is removed."""
    if s is None or s not in rest:
        return False
    rest.remove(s)
    return True


def products_of(nodes: Collection[Expr]) -> Products:
    """Those among named nodes whose factors may stand among the factors of larger products."""
    found: dict[Expr, list[Expr]] = {}
    for e in nodes:
        if e.kind == ex.MUL and e.is_scalar and e.data[1] and e.coefficient == 1:
            found.setdefault(e.args[0], []).append(e)
    return found


def spoken(root: Expr, names: Mapping[Expr, str]) -> list[Expr]:
    """The nodes with a name that the text of an expression speaks of, directly or in definitions."""
    products = products_of(names)
    found = {root}
    todo = [root]
    while todo:
        new = [a for a in _parts(todo.pop(), products) if a not in found]
        found.update(new)
        todo += new
    return [e for e in names if e in found and e is not root]


def _parts(e: Expr, products: Products) -> tuple[Expr, ...]:
    """The arguments of a node as they are written."""
    if e.kind != ex.MUL or not products:
        return e.args
    scalars, chain = written_factors(e, products)
    return (*scalars, *chain)


def _repeated(order: list[Expr], roots: Sequence[Expr], value: Expr) -> set[Expr]:
    """The nodes that are long and would be written more than once, and the value."""
    long_value = ex.cost(value) >= LONG_VALUE
    products = products_of((value,) if long_value else ())
    has_index = ex.open_indices(order if any(e.kind == ex.SUM for e in order) else ())
    times = dict.fromkeys(order, 0)
    times.setdefault(value, 0)
    for root in roots:
        times[root] += 1
    chosen: set[Expr] = set()
    for node in reversed(order):
        count = times[node]
        if node is value and long_value:
            continue
        wanted = count > 1 or node.op == "group"
        if wanted and _can_be_named(node) and not has_index.get(node):
            chosen.add(node)
            count = 1
        for part in _parts(node, products):
            times[part] += count
    return chosen | {value} if long_value and times[value] else chosen


def _can_be_named(node: Expr) -> bool:
    if node.kind not in (ex.ADD, ex.MUL, ex.CALL, ex.SUM) or ex.is_divisor(node):
        return False
    if len(node.chain) == 1 and node.chain[0].kind == ex.CONST:  # c ones(n) is written c in a sum
        return False
    return ex.cost(node) >= _long(node)


def _long(node: Expr) -> int:
    """The symbols of a node like this one that is worth a name."""
    return LONG_CALL if node.kind == ex.CALL and node.op not in _OPERATORS else LONG


_OPERATORS = ("transpose", "inv", "power", "matpow", "epow", "hadamard", "kron", "vec", "diag")


def written_length(roots: Sequence[Expr], names: Collection[Expr]) -> int:
    """The number of symbols of expressions written with names, definitions included."""
    costs: dict[Expr, int] = {}
    total = 0
    for node in ex.postorder(*names, *roots):
        costs[node] = ex.own_cost(node, costs)
        if node in names:
            total += costs[node] + 2
            costs[node] = 1
    return total + sum(costs[r] for r in roots)


def _worth_it(
    order: list[Expr], roots: Sequence[Expr], chosen: Collection[Expr], value: Expr
) -> tuple[set[Expr], int]:
    """The chosen nodes that are still long when what is in them has a name, and the number of symbols of all that is
    written: the roots and the definitions, except that of the value."""
    products = products_of((value,) if value in chosen else ())
    costs: dict[Expr, int] = {}
    kept: set[Expr] = set()
    total = 0
    for node in order:
        own = ex.own_cost(node, costs)
        if node.kind == ex.MUL:
            own += sum(costs[a] for a in _parts(node, products)) - sum(costs[a] for a in node.args)
        if node in chosen and (node is value or own >= _long(node)):
            kept.add(node)
            total += own + 2 if node is not value else 0
            own = 1
        costs[node] = own
    return kept, total + sum(costs[r] for r in roots)


def _supply(letters: str, several: bool, used: set[str]) -> Iterator[str]:
    """Names that are not used: `h`, or `h1`, `h2`, ... with a letter that nothing else has."""
    stems = {u.rstrip("0123456789") for u in used}
    heads = [*letters, *(f"{letters[0]}_{a}" for a in letters)]
    head = next((h for h in heads if h not in stems), "")
    if not head:  # every letter is in use: numbers that are not
        number = 1
        while True:
            if f"{letters[0]}{number}" not in used:
                yield f"{letters[0]}{number}"
            number += 1
    if not several:
        yield head
        return
    number = 1
    while True:
        yield f"{head}{number}"
        number += 1
