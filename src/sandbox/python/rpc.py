"""Values and calls between the judge, which holds the tests, and the process that holds the solution.

Values travel as data, never as pickles: neither side can make the other run anything but a function it offered.
A message is a graph of nodes, so aliases and cycles survive, and a list that the callee changes in place is changed
for the caller too. What is not plain data stays where it is and is reached through a `Remote`.
"""
import base64
import builtins
import collections
import datetime
import decimal
import fractions
import json
import os
import secrets
import struct
import sys
import types

MAX_FRAME_BYTES = 1 << 28
PLAIN_TYPES = (int, float, str, list, tuple, dict, set, frozenset, bytes)
BUILTIN_EXCEPTIONS = {n: e for n, e in vars(builtins).items() if isinstance(e, type) and issubclass(e, BaseException)}
BUILTIN_TYPES = {n: t for n, t in vars(builtins).items() if isinstance(t, type)}
BY_ISO_FORMAT = {t.__name__: t for t in (datetime.date, datetime.datetime, datetime.time)}


class Disconnected(BaseException):
    """The other side is gone. A BaseException, so that tests which catch Exception do not swallow it."""


class Forged(BaseException):
    """The other side answered with something that no honest peer sends."""


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def read_exactly(fd, count):
    chunks = []
    while count:
        chunk = os.read(fd, min(count, 1 << 20))
        if not chunk:
            raise Disconnected()
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def send_frame(fd, message):
    """4 bytes of big-endian length and that many bytes of JSON."""
    data = json.dumps(message).encode()
    write_all(fd, struct.pack(">I", len(data)) + data)


def receive_frame(fd):
    (length,) = struct.unpack(">I", read_exactly(fd, 4))
    if length > MAX_FRAME_BYTES:
        raise Forged("a message of %d bytes" % length)
    return json.loads(read_exactly(fd, length))


class PipeTransport:
    """Frames over a pair of pipes. Whatever is wrong with the pipes or a frame is the other side's doing."""

    def __init__(self, read_fd, write_fd):
        self.read_fd, self.write_fd = read_fd, write_fd

    def send(self, message):
        try:
            send_frame(self.write_fd, message)
        except OSError:
            raise Disconnected() from None

    def receive(self):
        try:
            return receive_frame(self.read_fd)
        except OSError:
            raise Disconnected() from None
        except ValueError as error:
            raise Forged("a message that is not JSON: %s" % error) from None


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


class Peer:
    """One side. A guarded one serves only what an honest other side would ask: see `refuse_forged`."""

    def __init__(self, transport, guarded=False):
        self.transport = transport
        self.guarded = guarded
        self.offered = {}
        self.remotes = {}
        self.exceptions = {}
        self.forged = None
        self.remote_error = None

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

    def raise_described(self, described):
        try:
            identity, name, bases = described["error"]
            arguments = described["arguments"]
            kind = self.exception_class(identity, name, bases)
            error = kind.__new__(kind, *[a for a in arguments if is_atom(a)])
            error.args = tuple(arguments)
        except (KeyError, IndexError, TypeError, ValueError) as problem:
            raise Forged("a malformed exception: %r" % problem) from None
        self.remote_error = error
        raise error

    # --- calls ----------------------------------------------------------------------------------------------------
    def ask(self, operation, target, arguments=(), keywords=None):
        """Run an operation on the other side and serve what it asks back meanwhile."""
        graph = self.encode([list(arguments), dict(keywords or {}), target])
        ours = self.containers(graph, arguments, keywords)
        self.transport.send({"ask": operation, "value": graph})
        while True:
            message = self.transport.receive()
            if not isinstance(message, dict):
                raise Forged("a message that is not an object")
            if "ask" in message:
                self.serve(message)
                continue
            changed = message.get("changed") or []
            if "error" in message:
                self.raise_described(message)
            try:
                seeded = {after: ours[before] for before, after in changed if before in ours}
                return self.decode(message["value"], seeded)[0]
            except (KeyError, TypeError, ValueError) as error:
                raise Forged("a malformed answer: %r" % error) from None

    def containers(self, graph, arguments, keywords):
        """The caller's own mutable containers by node of the request."""
        found, nodes = {}, graph["nodes"]
        stack = [(part, value) for part, value in zip(nodes[graph["roots"][0][0]][1], arguments)]
        values = list((keywords or {}).values())
        stack += list(zip(nodes[graph["roots"][1][0]][1][1::2], values))
        while stack:
            part, value = stack.pop()
            if type(part) is not list or part[0] in found:
                continue
            kind = nodes[part[0]][0]
            if kind in ("list", "deque", "set", "dict", "OrderedDict", "Counter", "bytearray"):
                found[part[0]] = value
            if kind in ("list", "deque", "tuple"):
                stack += zip(nodes[part[0]][1], value)
            elif kind in ("dict", "OrderedDict", "Counter"):
                stack += zip(nodes[part[0]][1][1::2], value.values())
        return found

    def serve(self, message):
        """Answer one request of the other side."""
        try:
            arguments, keywords, target = self.decode(message["value"])
            if self.guarded:
                self.refuse_forged(message["ask"], target, arguments)
            containers = [(i, v) for i, v in self.built.items()
                          if isinstance(v, (list, dict, set, bytearray, collections.deque))
                          and v is not arguments and v is not keywords]
            result = OPERATIONS[message["ask"]](self, target, arguments, keywords)
            graph = self.encode([result] + [value for _, value in containers])
            answer = {"value": graph,
                      "changed": [[before, after[0]] for (before, _), after in zip(containers, graph["roots"][1:])]}
        except (Disconnected, Forged):
            raise
        except BaseException as error:
            answer = self.describe_exception(error)
        self.transport.send(answer)


    def refuse_forged(self, operation, target, arguments):
        """The solution writes its requests itself if it likes. It may use what was offered to it, and go from there by
        public names only: frames, globals and classes lead to the tests and to everything else."""
        if self.offered.get(id(target)) is not target:
            raise AttributeError("this was not offered")
        name = arguments[0] if arguments else None
        if operation == "method" and name not in FORWARDED:
            raise AttributeError(name)
        if operation in ("attribute", "set-attribute") and not is_public(name):
            raise AttributeError(name)
        if operation not in ("method", "attribute", "set-attribute", "call", "iterate"):
            raise AttributeError(operation)


HARMLESS = ("__name__", "__qualname__", "__doc__", "__module__")
INTROSPECTION = ("__", "gi_", "cr_", "ag_", "tb_", "f_", "co_", "func_")
FORWARDED = {"__eq__"}


def is_public(name):
    return type(name) is str and (name in HARMLESS or not name.startswith(INTROSPECTION))


def exception_bases(kind):
    """The name of the class when it is a builtin, else those of its nearest builtin ancestors."""
    if BUILTIN_EXCEPTIONS.get(kind.__name__) is kind:
        return [kind.__name__]
    return [next(b.__name__ for b in kind.__mro__ if BUILTIN_EXCEPTIONS.get(b.__name__) is b)]


def operation_global(peer, target, arguments, keywords):
    return peer.namespace[arguments[0]]


def operation_call(peer, target, arguments, keywords):
    return target(*arguments, **keywords)


def operation_method(peer, target, arguments, keywords):
    """A special method of the target's type, as an operator would look it up."""
    name, *rest = arguments
    method = getattr(type(target), name, None)
    if method is None:
        raise TypeError("%r object has no %s" % (type(target).__name__, name))
    return method(target, *rest)


def operation_attribute_of_type(peer, target, arguments, keywords):
    return hasattr(type(target), arguments[0])


def operation_attribute(peer, target, arguments, keywords):
    return getattr(target, arguments[0])


def operation_set_attribute(peer, target, arguments, keywords):
    setattr(target, arguments[0], arguments[1])


def operation_iterate(peer, target, arguments, keywords):
    return iter(target)


OPERATIONS = {"attribute-of-type": operation_attribute_of_type, "global": operation_global, "call": operation_call, "method": operation_method,
              "attribute": operation_attribute, "set-attribute": operation_set_attribute,
              "iterate": operation_iterate}


class Remote:
    """An object of the other side.

    Nothing here hands the value that a test expects to the other side: comparing a Remote with plain data is decided
    here, from the plain data that the Remote itself carries, if any.
    """

    __slots__ = ("_peer", "_identity", "_type_name", "_callable", "_plain")

    def __init__(self, peer, identity, type_name, is_callable, plain):
        for name, value in (("_peer", peer), ("_identity", identity), ("_type_name", type_name),
                            ("_callable", is_callable), ("_plain", plain)):
            object.__setattr__(self, name, value)

    def __getattr__(self, name):
        return self._peer.ask("attribute", self, [name])

    def __setattr__(self, name, value):
        self._peer.ask("set-attribute", self, [name, value])

    def __call__(self, *arguments, **keywords):
        try:
            return self._peer.ask("call", self, arguments, keywords)
        except StopIteration as error:
            # It would end a `map` over the tests' cases, as if all of them had been right.
            raise RuntimeError("a function raised StopIteration") from error

    def __contains__(self, item):
        has = self._peer.ask("attribute-of-type", self, ["__contains__"])
        if has is not True:
            return any(one is item or one == item for one in self)
        if self._answers_yes("__contains__"):
            raise Forged(self._peer.forged)
        return self._peer.ask("method", self, ["__contains__", item]) is True

    def _answers_yes(self, name):
        """Whether a comparison with something that nobody can have seen says yes."""
        try:
            if self._peer.ask("method", self, [name, secrets.token_hex(16)]) is not True:
                return False
        except Exception:
            return False
        self._peer.forged = "an object of class %s whose %s always says yes" % (self._type_name, name)
        return True

    def __iter__(self):
        return self._peer.ask("iterate", self)

    def __bool__(self):
        return bool(self._plain[0]) if self._plain else True

    def __hash__(self):
        return hash(self._plain[0]) if self._plain else hash((Remote, self._identity))

    def __eq__(self, other):
        if self is other:
            return True
        if type(other) is Remote and not (self._plain or other._plain):
            return self._peer.ask("method", self, ["__eq__", other]) is True
        if self._plain:
            return self._plain[0] == (other._plain[0] if type(other) is Remote and other._plain else other)
        if self._answers_yes("__eq__"):
            raise Forged(self._peer.forged)
        if self._type_name in ("dict_keys", "dict_items"):
            return set(self) == other
        return False

    def __ne__(self, other):
        return not self == other


def forward(name):
    def method(self, *arguments):
        return self._peer.ask("method", self, [name, *arguments])
    method.__name__ = name
    setattr(Remote, name, method)
    FORWARDED.add(name)


def forward_operator(name):
    def method(self, other):
        if self._plain is not None:
            return getattr(self._plain[0], name)(other)
        if type(other) is not Remote:
            return NotImplemented
        return self._peer.ask("method", self, [name, other])
    method.__name__ = name
    setattr(Remote, name, method)
    FORWARDED.add(name)


for _name in ("next", "len", "getitem", "setitem", "delitem", "str", "repr", "int", "float", "index",
              "enter", "exit", "abs", "neg", "reversed"):
    forward("__%s__" % _name)
for _name in ("lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor",
              "matmul"):
    forward_operator("__%s__" % _name)
