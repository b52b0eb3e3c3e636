"""Canonical solutions of HumanEval with one token mutated, in the form that `whetstone eval humaneval --samples` reads.

    python3 scripts/human-eval/mutate.py HumanEval.jsonl.gz --each 3 > mutants.jsonl

Deterministic: the mutated token and its replacement follow from the task's id and the mutant's number alone.
"""

import argparse
import gzip
import io
import json
import random
import tokenize

OPERATORS = {
    "+": ["-", "*"], "-": ["+"], "*": ["+", "//"], "/": ["//", "*"], "//": ["/", "%"], "%": ["//", "*"], "**": ["*"],
    "<": ["<=", ">"], "<=": ["<", ">="], ">": [">=", "<"], ">=": [">", "<="], "==": ["!=", ">="], "!=": ["=="],
    "+=": ["-=", "="], "-=": ["+="], "*=": ["+="], "=": ["+="], "//=": ["/="], "%=": ["//="],
    "&": ["|"], "|": ["&"], "^": ["|"], ">>": ["<<"],
}  # fmt: skip
WORDS = {
    "and": ["or"], "or": ["and"], "not": ["", "not not"], "in": ["not in"], "is": ["is not"], "True": ["False"], "False": ["True"],
    "None": ["0"], "return": ["yield", "raise"], "break": ["continue", "pass"], "continue": ["break", "pass"], "if": ["while"],
    "while": ["if"], "min": ["max"], "max": ["min"], "sum": ["len"], "len": ["sum"], "any": ["all"], "all": ["any"],
    "append": ["extend"], "sorted": ["list"], "set": ["list"], "lower": ["upper"], "upper": ["lower"],
}  # fmt: skip


def replacements(token, names):
    text = token.string
    if token.type == tokenize.OP:
        return OPERATORS.get(text, [])
    if token.type == tokenize.NUMBER:
        return [f"({text} + 1)", f"({text} - 1)"]
    if token.type == tokenize.STRING:
        return [text + " + 'x'", "''"]
    if token.type == tokenize.NAME:
        return WORDS.get(text) or [name for name in names if name != text]
    return []


def mutants(problem, count):
    prompt, body = problem["prompt"], problem["canonical_solution"]
    source = prompt + body
    first = prompt.count("\n") + 1
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.start[0] >= first]
    names = sorted({t.string for t in tokens if t.type == tokenize.NAME and t.string.islower()} - set(WORDS))
    sites = [t for t in tokens if replacements(t, names)]
    lines = source.splitlines(keepends=True)
    seen = {source}
    rng = random.Random(problem["task_id"])
    for _ in range(20 * count):
        token = rng.choice(sites)
        replacement = rng.choice(replacements(token, names))
        changed = list(lines)
        line = changed[token.start[0] - 1]
        changed[token.start[0] - 1] = line[: token.start[1]] + replacement + line[token.end[1] :]
        mutant = "".join(changed)
        if token.start[0] == token.end[0] and mutant not in seen:
            seen.add(mutant)
            yield mutant[len(prompt) :]
        if len(seen) > count:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problems")
    parser.add_argument("--each", type=int, default=3, help="mutants of each solution")
    options = parser.parse_args()
    with gzip.open(options.problems, "rt") as rows:
        for problem in map(json.loads, rows):
            for completion in mutants(problem, options.each):
                print(json.dumps({"task_id": problem["task_id"], "completion": completion}))


main()
