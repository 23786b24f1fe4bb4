"""What follows from how an expression is made and from what was declared: transposes and properties.

A property that is not in `properties(e)` is not proved; that is not the same as false.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from matgrad import expr as ex
from matgrad.expr import Expr
from matgrad.functions import TABLE
from matgrad.shapes import signature

# f(A') = f(A)', and of several arguments f(A', B') = f(A, B)'.
_OF_TRANSPOSE = frozenset(
    [
        "inv",
        "matpow",
        "expm",
        "logm",
        "sqrtm",
        "sinm",
        "cosm",
        "adj",
        "pinv",
        "dexpm",
        "dlogm",
        "dsinm",
        "dcosm",
    ]
)


_MIRRORED = {"tril": "triu", "triu": "tril"}
_TO_ARGUMENTS = _OF_TRANSPOSE | {"kron", "sylvester", *_MIRRORED}


def push_transposes(e: Expr) -> Expr:
    """e with every transpose moved inward, to variables and functions; symmetric S' becomes S.

    The one normal form of transposes: `is_symmetric(e)` asks whether e and e' have the same.
    """
    todo: list[tuple[Expr, bool]] = [(e, False)]
    while todo:
        node, flip = todo[-1]
        if _normal_form(node, flip) is not None:
            todo.pop()
            continue
        if node.kind == ex.CALL and node.op == "transpose":
            parts = [(node.args[0], not flip)]
        elif node.is_scalar and flip:
            parts = [(node, False)]
        elif is_entrywise(node):
            parts = [(a, turn and not a.is_scalar) for turn in (False, True) for a in node.args]
        elif node.op in ("inv", "matpow"):
            parts = [(a, turn and not a.is_scalar) for turn in (flip, not flip) for a in node.args]
        elif node.kind in (ex.ADD, ex.MUL, ex.STACK, ex.SUM) or node.op in _TO_ARGUMENTS:
            parts = [(a, flip and not a.is_scalar) for a in node.args]
        else:
            parts = [(a, False) for a in node.args]
        forms = [_normal_form(a, turn) for a, turn in parts]
        if None in forms:
            todo.extend(p for p, form in zip(parts, forms, strict=True) if form is None)
            continue
        found = _pushed(node, flip, tuple(form for form in forms if form is not None))
        (ex.set_turned if flip else ex.set_pushed)(node, found)
        todo.pop()
    assert e.pushed is not None
    return e.pushed


def _normal_form(e: Expr, flip: bool) -> Expr | None:
    """What has been found for e, or for e'."""
    return e.turned if flip else e.pushed


def is_entrywise(e: Expr) -> bool:
    """Whether transposes pass from e to its arguments, as through a function of each entry (or of them in any order)."""
    if e.kind == ex.ADD:
        return e.shape.kind in (ex.VECTOR, ex.ROW)  # the sum of rows is the transpose of a sum
    if e.kind != ex.CALL:
        return False
    if e.op in ("map", "group"):
        return False
    if e.op == "kron":  # of two columns or two rows, the transpose goes to both
        return e.shape.kind in (ex.VECTOR, ex.ROW)
    return e.op in ("hadamard", "epow", "apply") or signature(e.op).result.kind == "array"


def _pushed(node: Expr, flip: bool, args: tuple[Expr, ...]) -> Expr:
    """The normal form of node (of node' if `flip`), from those of its arguments."""
    if node.kind == ex.CALL and node.op == "transpose":
        return args[0]
    if node.is_scalar and flip:
        return args[0]
    if node.kind == ex.CALL and node.op in _OF_TRANSPOSE:
        count = len(node.args)
        return _transpose_outside(node, args[:count], args[count:])
    if is_entrywise(node):
        count = len(node.args)
        return _pushed_entrywise(node, flip, args[:count], args[count:])
    if not flip:
        return ex.rebuild(node, args)
    declared = node.data[1] if node.kind == ex.VAR else ()
    if node.kind == ex.DIFF and node.args[0].kind == ex.VAR:
        declared = node.args[0].data[1]
    if "symmetric" in declared:
        return node
    if node.op == "map" and node.data[2] == "∂∇":  # second derivatives of a smooth function
        return ex.rebuild(node, args)
    if "skew" in declared:
        return ex.neg(node)
    if node.kind == ex.MUL:
        count = node.data[1]
        return ex.mul(ex.num(node.coefficient), *args[:count], *reversed(args[count:]))
    if node.kind == ex.SUM:
        return ex.rebuild(node, args)
    if node.kind == ex.STACK:
        # The grid of blocks is transposed with them.
        columns = node.data
        turned = [args[i] for j in range(columns) for i in range(j, len(args), columns)]
        return ex.stack(tuple(turned), len(args) // columns)
    if node.kind == ex.ADD or node.op in ("diag", "dg", "kron"):
        return ex.rebuild(node, args)
    if node.op in _MIRRORED:
        return ex.call(_MIRRORED[node.op], args, node.shape)
    if node.op == "sylvester":
        return ex.call("sylvester", (args[1], args[0], args[2]), ex.transposed_shape(node.shape))
    return ex.transpose(ex.rebuild(node, args) if node.args else node)


def _transpose_outside(node: Expr, args: tuple[Expr, ...], turned: tuple[Expr, ...] = ()) -> Expr:
    """f(A') as f(A)', if every array among the arguments is a transpose, or longer than its own, which is in `turned`."""
    arrays = [a for a in args if not a.is_scalar]
    if arrays and all(a.kind == ex.CALL and a.op == "transpose" for a in arrays):
        return ex.transpose(_with_args(node, tuple(a if a.is_scalar else a.args[0] for a in args)))
    if turned and arrays[0].kind in (ex.ADD, ex.MUL) and ex.cost(turned[0]) < ex.cost(arrays[0]):
        exponent = -1 if node.op == "inv" else ex.integer(args[-1])
        if node.op in ("inv", "matpow") and exponent and args[0] is ex.neg(turned[0]):
            power = _with_args(node, turned)  # of a skew matrix X, X' = -X
            return ex.neg(power) if exponent % 2 else power
        return ex.transpose(_with_args(node, turned))
    return _with_args(node, args)


def _with_args(node: Expr, args: tuple[Expr, ...]) -> Expr:
    """The node of an operation that keeps the shape of its first array (`pinv` turns it), with other arguments."""
    if node.kind == ex.ADD or node.op in ("inv", "matpow", "hadamard", "epow", "kron"):
        return ex.rebuild(node, args)
    shape = next((a.shape for a in args if not a.is_scalar), ex.SCALAR_SHAPE)
    if node.op == "pinv":
        shape = ex.transposed_shape(shape)
    return ex.make(ex.CALL, node.data, args, shape)


def _pushed_entrywise(
    node: Expr, flip: bool, plain: tuple[Expr, ...], turned: tuple[Expr, ...]
) -> Expr:
    """Rows are written as transposed columns; of a matrix, whichever is shorter of f(A') and f(A)'."""
    if node.is_scalar:
        return _with_args(node, plain)
    if node.shape.kind != ex.MATRIX:
        row = node.shape.kind == ex.ROW
        column = _with_args(node, turned if row else plain)
        return column if row == flip else ex.transpose(column)
    if not flip:
        return _transpose_outside(node, plain)
    inside = _transpose_outside(node, turned)
    outside = ex.transpose(_transpose_outside(node, plain))
    return inside if ex.cost(inside) <= ex.cost(outside) else outside


def is_symmetric(e: Expr) -> bool:
    """Whether e = e' follows from how it is made and what was declared. False means "not proved"."""
    if e.is_scalar:
        return True
    if e.shape.kind != ex.MATRIX or e.shape.rows != e.shape.cols:
        return False
    here, turned = push_transposes(e), push_transposes(ex.transpose(e))
    return here is turned or _unordered(here) is _unordered(turned)


def _unordered(e: Expr) -> Expr:
    """e in an order of its own: B + B' is symmetric whatever the order, and so is a product with a commutation matrix."""

    def change(node: Expr) -> Expr:
        if node.kind == ex.ADD or node.op == "hadamard":
            return ex.make(node.kind, node.data, tuple(sorted(node.args, key=id)), node.shape)
        if node.kind == ex.MUL and any(a.op == "commutation" for a in node.args):
            return _commutation_first(node)
        return node

    return ex.transform(e, change)


def _commutation_first(e: Expr) -> Expr:
    """A product with each K in front of the Kronecker product before it: (A ⊗ B) K is K (B ⊗ A)."""
    chain = list(e.chain)
    for i in range(len(chain) - 1, 0, -1):
        left, right = chain[i - 1], chain[i]
        if right.op == "commutation" and left.op == "kron":
            a, b = left.args
            if right.data[1:] == (a.shape.cols, b.shape.cols):
                swapped = ex.commutation(a.shape.rows, b.shape.rows)
                chain[i - 1 : i + 1] = [swapped, ex.kron(b, a)]
    return ex.mul(ex.num(e.coefficient), *e.scalars, *chain)


# --- properties ---------------------------------------------------------------------------------------------------------

_FRAME = frozenset(
    {"symmetric", "diagonal", "skew", "lower", "upper"}
)  # closed under sums and multiples
_GROUP = frozenset(
    {"diagonal", "lower", "upper", "orthogonal", "invertible"}
)  # closed under products
_INVERSE = _FRAME | {"spd", "psd", "orthogonal", "invertible"}  # kept by the inverse
_KRON = frozenset(
    {"symmetric", "diagonal", "lower", "upper", "orthogonal", "invertible", "spd", "psd"}
)
_IMPLIED = (
    ("spd", ("symmetric", "psd", "invertible")),
    ("diagonal", ("symmetric", "lower", "upper")),
    ("orthogonal", ("invertible",)),
    ("positive", ("nonzero",)),
)
_TRIANGLES = frozenset({"diagonal", "lower", "upper"})  # closed under power series
_FRECHET = frozenset({"dexpm", "dlogm", "dsinm", "dcosm"})
_POSITIVE = frozenset({"exp", "cosh", "sigmoid", "softplus", "softmax"})

_known: WeakKeyDictionary[Expr, frozenset[str]] = WeakKeyDictionary()


def has_property(e: Expr, name: str) -> bool:
    """Whether a property is proved."""
    if e.is_scalar and name in ("symmetric", "diagonal", "lower", "upper"):
        return True
    if name == "of constant rank":
        name = "invertible"
    return name in properties(e)


def properties(e: Expr) -> frozenset[str]:
    """The properties of e that are proved: symmetric, spd, psd, diagonal, skew, orthogonal, lower, upper, invertible
    orthonormal (its columns; a matrix that need not be square), (matrices), positive, nonzero (every entry)."""
    known = _known.get(e)
    if known is not None:
        return known
    todo = [e]
    while todo:  # not postorder: what is below a known node is not walked again
        node = todo[-1]
        missing = [a for a in node.args if a not in _known]
        if missing:
            todo.extend(missing)
            continue
        found = _own(node)
        if is_symmetric(node) and node.shape.kind == ex.MATRIX:
            found = found | {"symmetric"}
        for name, implied in _IMPLIED:
            if name in found:
                found = found.union(implied)
        _known[node] = frozenset(found)
        todo.pop()
    return _known[e]


def _common(args: tuple[Expr, ...], names: frozenset[str]) -> frozenset[str]:
    """Those of the properties that every argument has."""
    for a in args:
        names = names & _known[a]
    return names


def taken_for_granted(y: Expr) -> list[tuple[str, Expr]]:
    """The properties that the functions in an expression ask of their arguments and that cannot be proved.

    `eigmax` of a matrix is read as that of a symmetric one, `polar` of a square one as that of an invertible one.
    """
    found = []
    for e in ex.postorder(y):
        if e.kind != ex.CALL or e.op not in TABLE:
            continue
        wanted = signature(e.op).properties
        if e.op == "polar" and e.shape.rows == e.shape.cols:
            wanted = ("invertible",)
        found += [
            (name, argument)
            for argument, name in zip(e.args, wanted, strict=False)
            if name in ("symmetric", "spd", "invertible") and not has_property(argument, name)
        ]
    return found


def domain(e: Expr) -> list[tuple[str, Expr]]:
    """What has to hold for e to have a value, as far as it is not proved: what is inverted or divided by, logarithms."""
    found = []
    for node in ex.postorder(e):
        name = ""
        if node.op == "inv":
            name = "invertible"
        elif ex.is_divisor(node):
            name = "nonzero"
        elif node.kind == ex.CALL and node.op in TABLE and TABLE[node.op].domain == "positive":
            whole = node.op in ("power", "epow") and ex.integer(node.args[1]) is not None
            name = "" if whole else "positive"
        if name and not has_property(node.args[0], name):
            found.append((name, node.args[0]))
    return found


def _own(e: Expr) -> frozenset[str]:
    """The properties of a node, from those of its arguments."""
    kind, args = e.kind, e.args
    if kind == ex.NUM:
        return frozenset({"positive"} if e.data > 0 else {"nonzero"} if e.data else ())
    if kind == ex.VAR:
        return frozenset(e.data[1])
    if kind == ex.CONST:
        return {
            "eye": frozenset({"diagonal", "orthogonal", "spd"}),
            "commutation": frozenset({"orthogonal"}),
            "ones": frozenset({"positive"}),
            "pi": frozenset({"positive"}),
            "size": frozenset({"positive"}),
        }.get(e.op, frozenset())
    if kind == ex.ADD:
        found = _common(args, _FRAME | {"positive", "psd"})
        if "psd" in found and any("spd" in _known[a] for a in args):
            found = found | {"spd"}
        return found
    if kind == ex.MUL:
        return _of_product(e)
    if kind != ex.CALL:
        return frozenset()
    return _of_call(e)


def _of_product(e: Expr) -> frozenset[str]:
    scalars, chain = e.scalars, e.chain
    positive = e.coefficient > 0 and all("positive" in _known[s] for s in scalars)
    nonzero = all("nonzero" in _known[s] for s in scalars)
    if not chain:
        return frozenset({"positive"} if positive else {"nonzero"} if nonzero else ())
    found = _common(chain, _GROUP)
    if not nonzero:
        found = found - {"invertible"}
    if e.coefficient != 1 or scalars:
        found = found - {"orthogonal"}
    if len(chain) == 1:
        found = found | (_known[chain[0]] & _FRAME)
        if positive:
            found = found | (_known[chain[0]] & {"spd", "psd", "positive"})
    elif positive and _is_square_of(chain):
        found = found | {"psd"}
        if "invertible" in found:
            found = found | {"spd"}
    return found


def _is_square_of(chain: tuple[Expr, ...]) -> bool:
    """Whether a product is A'A, or A'P A with a positive semidefinite P."""
    half = len(chain) // 2
    mirrored = all(
        push_transposes(ex.transpose(a)) is push_transposes(b)
        for a, b in zip(chain[:half], reversed(chain[-half:]), strict=True)
    )
    return mirrored and (len(chain) % 2 == 0 or "psd" in _known[chain[half]])


def _of_call(e: Expr) -> frozenset[str]:
    op, args = e.op, e.args
    first = _known[args[0]]
    if op == "group":
        return first
    if op == "transpose":
        turned = {"lower": "upper", "upper": "lower"}
        return frozenset(turned.get(p, p) for p in first if p != "orthonormal")
    if op == "inv":
        return (first & _INVERSE) | {"invertible"}
    if op == "matpow":
        found = first & (_GROUP | {"symmetric", "spd", "psd"})
        k = ex.integer(args[1])
        even = k is not None and k % 2 == 0
        return found | ({"psd"} if even and "symmetric" in first else frozenset())
    if op in ("power", "epow"):
        whole = ex.integer(args[1])
        if "positive" in first or (whole is not None and whole % 2 == 0 and "nonzero" in first):
            return frozenset({"positive"})
        return first & {"nonzero"} if whole is not None else frozenset()
    if op == "diag":
        return frozenset({"diagonal"} | ({"spd"} if "positive" in first else set()))
    if op == "hadamard":
        some = frozenset(p for a in args for p in _known[a]) & {"diagonal", "lower", "upper"}
        return some | _common(args, frozenset({"positive", "nonzero", "spd", "psd"}))
    if op == "kron":
        return _common(args, _KRON)
    if op == "expm":
        becomes = {"symmetric": "spd", "skew": "orthogonal"}
        return (first & _TRIANGLES) | {"invertible", *(becomes[p] for p in first & becomes.keys())}
    if op in ("logm", "sinm", "cosm"):
        return first & (_TRIANGLES | {"symmetric"})
    if op in _FRECHET:
        return _common(args, _TRIANGLES | {"symmetric"})
    if op == "adj":
        return first & (_TRIANGLES | {"symmetric", "invertible", "spd", "psd"})
    if op == "pinv":
        return first & {"symmetric", "diagonal", "skew", "spd", "psd", "orthogonal", "invertible"}
    if op == "polar":
        return frozenset({"orthogonal"} if e.shape.rows == e.shape.cols else ())
    if op == "sylvester":
        return _common(args, frozenset({"lower", "upper", "diagonal"}))
    if op == "chol":
        return frozenset({"lower", "invertible"}) | (first & {"diagonal"})
    if op == "tril":
        return frozenset({"lower"})
    if op == "triu":
        return frozenset({"upper"})
    if op == "dg":
        return frozenset({"diagonal"})
    if op == "sqrtm":
        return first & (_TRIANGLES | {"spd", "psd", "symmetric", "invertible"})
    if op in ("eigmax", "eigmin") and "spd" in first:
        return frozenset({"positive"})
    if op.partition(":")[0] in _POSITIVE:
        return frozenset({"positive"})
    if op in ("sqrt", "abs", "sum", "tr", "gamma") and "positive" in first:
        return frozenset({"positive"})
    if op in ("det", "tr", "sum") and "spd" in first:
        return frozenset({"positive"})
    return frozenset()
