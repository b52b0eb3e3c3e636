"""Calls between the judge, which holds the tests, and the process that holds the solution.

A list that the callee changes in place is changed for the caller too.
"""
import collections

from frames import Disconnected, Forged
from remote import FORWARDED
from values import Values, is_atom

HARMLESS = ("__name__", "__qualname__", "__doc__", "__module__")
INTROSPECTION = ("__", "gi_", "cr_", "ag_", "tb_", "f_", "co_", "func_")


def is_public(name):
    return type(name) is str and (name in HARMLESS or not name.startswith(INTROSPECTION))


class Peer(Values):
    """One side. A guarded one serves only what an honest other side would ask: see `refuse_forged`."""

    def __init__(self, transport, guarded=False):
        super().__init__()
        self.transport = transport
        self.guarded = guarded
        self.forged = None
        self.remote_error = None

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
        if operation not in ("method", "attribute", "attribute-of-type", "set-attribute", "call", "iterate"):
            raise AttributeError(operation)

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
