"""Values as they travel between the judge and the process that holds the solution.

As data, never as pickles: neither side can make the other run anything but a function it offered. A message is a graph
of nodes, so aliases and cycles survive. What is not plain data stays where it is and is reached through a `Remote`.
"""
import base64
import builtins
import collections
import datetime
import decimal
import fractions
import sys
import types

from frames import Forged
from remote import Remote

PLAIN_TYPES = (int, float, str, list, tuple, dict, set, frozenset, bytes)
BUILTIN_EXCEPTIONS = {n: e for n, e in vars(builtins).items() if isinstance(e, type) and issubclass(e, BaseException)}
BUILTIN_TYPES = {n: t for n, t in vars(builtins).items() if isinstance(t, type)}
BY_ISO_FORMAT = {t.__name__: t for t in (datetime.date, datetime.datetime, datetime.time)}


def is_atom(value):
    kind = type(value)
    if kind is int:
        return -(1 << 53) < value < 1 << 53
    if kind is float:
        return value - value == 0
    return value is None or kind is bool or kind is str


def plain_base(value):
    """The plain type that an instance of a subclass of it (a namedtuple, an IntEnum) also is, or None."""
    return next((t for t in PLAIN_TYPES if isinstance(value, t)), None)


def plain_copy(value, base):
    if base is dict:
        return dict(dict.items(value))
    if base in (list, tuple, set, frozenset):
        return base(base.__iter__(value))
    return {int: int.__int__, float: float.__float__, str: str.__str__, bytes: bytes.__bytes__}[base](value)


class Values:
    """What one side has offered to the other and what it has of the other's."""

    def __init__(self):
        self.offered = {}
        self.remotes = {}
        self.exceptions = {}

    # --- encoding -------------------------------------------------------------------------------------------------
    def encode(self, roots):
        nodes, index_of, queue = [], {}, []

        def reference(value):
            if is_atom(value):
                return value
            index = index_of.get(id(value))
            if index is None:
                index = index_of[id(value)] = len(nodes)
                nodes.append(None)
                queue.append((index, value))
            return [index]

        references = [reference(root) for root in roots]
        keep = []
        while queue:
            index, value = queue.pop()
            nodes[index] = self.node(value, reference, keep)
        return {"nodes": nodes, "roots": references}

    def node(self, value, reference, keep):
        kind = type(value)
        if kind in (list, tuple, set, frozenset):
            return [kind.__name__, [reference(item) for item in value]]
        if kind in (dict, collections.OrderedDict, collections.Counter):
            return [kind.__name__, [reference(part) for item in value.items() for part in item]]
        if kind is collections.defaultdict:
            return ["dict", [reference(part) for item in value.items() for part in item]]
        if kind is collections.deque:
            return ["deque", [reference(item) for item in value], value.maxlen]
        if kind is int:
            return ["int", hex(value)]
        if kind is float:
            return ["float", repr(value)]
        if kind is complex:
            return ["complex", repr(value)]
        if kind in (bytes, bytearray):
            return [kind.__name__, base64.b64encode(value).decode()]
        if kind is range:
            return ["range", [reference(part) for part in (value.start, value.stop, value.step)]]
        if kind is slice:
            return ["slice", [reference(part) for part in (value.start, value.stop, value.step)]]
        if kind in (fractions.Fraction, decimal.Decimal):
            return [kind.__name__, str(value)]
        if kind.__name__ in BY_ISO_FORMAT and kind is BY_ISO_FORMAT[kind.__name__]:
            return [kind.__name__, value.isoformat()]
        if value is Ellipsis or value is NotImplemented:
            return ["constant", repr(value)]
        if kind is types.ModuleType and value.__name__.partition(".")[0] in sys.stdlib_module_names:
            return ["module", value.__name__]
        if isinstance(value, type) and BUILTIN_TYPES.get(value.__name__) is value:
            return ["type", value.__name__]
        if kind is Remote:
            peer, identity = object.__getattribute__(value, "_peer"), object.__getattribute__(value, "_identity")
            if peer is self:
                return ["yours", identity]
        self.offered[id(value)] = value
        if isinstance(value, type) and issubclass(value, BaseException):
            return ["exception-class", id(value), value.__name__, exception_bases(value)]
        base = plain_base(value)
        plain = None
        if base is not None:
            copy = plain_copy(value, base)
            keep.append(copy)
            plain = [reference(copy)]
        return ["remote", id(value), kind.__name__, callable(value), plain]

    # --- decoding -------------------------------------------------------------------------------------------------
    def decode(self, graph, seeded=None):
        """The roots of a graph. `seeded` gives, for some nodes, the container to fill instead of a new one."""
        try:
            return self._decode(graph["nodes"], graph["roots"], seeded or {})
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise Forged("a malformed value: %r" % error) from None

    def _decode(self, nodes, roots, seeded):
        mutable = {"list": list, "dict": dict, "set": set, "OrderedDict": collections.OrderedDict,
                   "Counter": collections.Counter, "bytearray": bytearray}
        built = {}
        for index, node in enumerate(nodes):
            if index in seeded:
                built[index] = seeded[index]
            elif node[0] == "deque":
                built[index] = collections.deque(maxlen=node[2])
            elif node[0] in mutable:
                built[index] = mutable[node[0]]()

        def resolve(part):
            if type(part) is not list:
                return part
            (index,) = part
            if index not in built:
                built[index] = self.immutable(nodes[index], resolve)
            return built[index]

        for index in reversed(range(len(nodes))):
            resolve([index])
        # Sets and dicts hash their members, so what they hold must be whole before them: lists first.
        for index, node in enumerate(nodes):
            if node[0] in ("list", "deque"):
                container, items = built[index], [resolve(item) for item in node[1]]
                container.clear()
                container.extend(items)
        for index, node in enumerate(nodes):
            if node[0] == "set":
                items = [resolve(item) for item in node[1]]
                built[index].clear()
                built[index].update(items)
            elif node[0] in ("dict", "OrderedDict", "Counter"):
                parts = [resolve(part) for part in node[1]]
                built[index].clear()
                dict.update(built[index], zip(parts[::2], parts[1::2]))
            elif node[0] == "bytearray":
                built[index][:] = base64.b64decode(node[1])
        self.built = built
        return [resolve(root) for root in roots]

    def immutable(self, node, resolve):
        kind, content = node[0], node[1]
        if kind in ("tuple", "frozenset"):
            return BUILTIN_TYPES[kind](resolve(item) for item in content)
        if kind == "int":
            return int(content, 16)
        if kind in ("float", "complex"):
            return BUILTIN_TYPES[kind](content)
        if kind == "bytes":
            return base64.b64decode(content)
        if kind in ("range", "slice"):
            return BUILTIN_TYPES[kind](*(resolve(part) for part in content))
        if kind == "Fraction":
            return fractions.Fraction(content)
        if kind == "Decimal":
            return decimal.Decimal(content)
        if kind in BY_ISO_FORMAT:
            return BY_ISO_FORMAT[kind].fromisoformat(content)
        if kind == "constant":
            return {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}[content]
        if kind == "module":
            if content.partition(".")[0] not in sys.stdlib_module_names:
                raise ValueError(content)
            if "__main__" in content:
                raise ValueError(content)
            __import__(content)
            return sys.modules[content]
        if kind == "type":
            return BUILTIN_TYPES[content]
        if kind == "yours":
            return self.offered[content]
        if kind == "exception-class":
            return self.exception_class(content, node[2], node[3])
        if kind == "remote":
            if content not in self.remotes:
                plain = None if node[4] is None else (resolve(node[4][0]),)
                self.remotes[content] = Remote(self, content, str(node[2]), bool(node[3]), plain)
            return self.remotes[content]
        raise ValueError(kind)

    # --- exceptions -----------------------------------------------------------------------------------------------
    def exception_class(self, identity, name, bases):
        """A local stand-in for a class of the other side, so that `except` and `isinstance` work on it."""
        if len(bases) == 1 and bases[0] == name:
            return BUILTIN_EXCEPTIONS[name]
        if identity not in self.exceptions:
            parents = tuple(BUILTIN_EXCEPTIONS[base] for base in bases) or (Exception,)
            self.exceptions[identity] = type(str(name), parents, {})
        return self.exceptions[identity]

    def describe_exception(self, error):
        kind = type(error)
        self.offered[id(kind)] = kind
        arguments = [a for a in error.args if is_atom(a)]
        return {"error": [id(kind), kind.__name__, exception_bases(kind)], "arguments": arguments}


def exception_bases(kind):
    """The name of the class when it is a builtin, else those of its nearest builtin ancestors."""
    if BUILTIN_EXCEPTIONS.get(kind.__name__) is kind:
        return [kind.__name__]
    return [next(b.__name__ for b in kind.__mro__ if BUILTIN_EXCEPTIONS.get(b.__name__) is b)]
