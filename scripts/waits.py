#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Find waits without an end in what runs on the chip.

usage: waits.py --build BUILD        every source of ours that BUILD/target/compile_commands.json names
       waits.py FILE...              these, without any include path

Read is clang's syntax tree. A loop passes when it is counted (`for` with a counter that only the `for` itself changes, and a limit that is
no hardware), or when nothing its condition depends on comes from hardware: a volatile object, or the result of a function that
reads one, directly or through others in whichever file, or of a call through a pointer. A loop without a condition is a `for (;;)`
with `/* endless: REASON */` on its line or the one before, and the reason is not just believed: where the loop reads hardware or can be left, it sleeps once a round
(SLEEPS), and what leads out of it is a count that goes on whatever the hardware says (`++n > limit`, or n grows in every round; it may begin again). goto is refused, since it hides loops. Not seen: loops
inside assembler statements. Exit status 1 when there is a finding."""
import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOOPS = ("ForStmt", "WhileStmt", "DoStmt")
ASSIGNMENTS = ("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=")
MOST = 1 << 30  # polls: more is no limit
SLEEPS = ("chip_wait_for_interrupt", "HAL_PWR_EnterSLEEPMode", "vTaskDelay")  # what an endless loop that looks at hardware calls in every round


# --- the tree -----------------------------------------------------------------------------------------------------

def locate(root):
    """Give every node its file and line; clang leaves out what is the same as in the location that it wrote before."""
    last = {"file": "", "line": 0}

    def place(where):
        for part in ("spellingLoc", "expansionLoc"):
            if part in where:
                place(where[part])
        last.update({k: where[k] for k in last if k in where})

    def visit(node):
        place(node.get("loc", {}))
        edges = node.get("range", {})
        place(edges.get("begin", {}))
        node["file"], node["line"] = last["file"], last["line"]
        place(edges.get("end", {}))
        for child in node.get("inner", []):
            visit(child)

    visit(root)
    return root


def walk(node):
    yield node
    for child in node.get("inner", []):
        yield from walk(child)


def is_volatile(node):
    text = node.get("type", {})
    text = text.get("desugaredQualType", text.get("qualType", ""))
    return bool(re.search(r"\bvolatile\b", text.rsplit("*", 1)[-1]))


def variables(node):
    """Ids of the variables that an expression mentions."""
    return {n["referencedDecl"]["id"] for n in walk(node)
            if n.get("kind") == "DeclRefExpr" and n["referencedDecl"]["kind"] in ("VarDecl", "ParmVarDecl")}


def called(call):
    """Name of the function that a CallExpr calls; None: through a pointer."""
    callee = call["inner"][0]
    while callee.get("kind") in ("ImplicitCastExpr", "ParenExpr"):
        callee = callee["inner"][0]
    decl = callee.get("referencedDecl", {})
    return decl["name"] if decl.get("kind") == "FunctionDecl" else None


# --- hardware -----------------------------------------------------------------------------------------------------

class Unit:
    """A source file: its functions, and which of them read hardware."""

    def __init__(self, root, file):
        self.functions, self.ends = {}, set()
        for node in root.get("inner", []):
            if node.get("kind") == "FunctionDecl" and any(c.get("kind") in ("C11NoReturnAttr", "NoReturnAttr") for c in node.get("inner", [])):
                self.ends.add(node["name"])
            if node.get("file", file).endswith(".c") and os.path.realpath(node.get("file", file)) != os.path.realpath(file):
                continue  # a library's source, included for its static functions
            if node.get("kind") == "FunctionDecl" and any(c.get("kind") == "CompoundStmt" for c in node.get("inner", [])):
                self.functions[node["name"]] = node
        self.static = {n for n, f in self.functions.items() if f.get("storageClass") == "static"}
        self.reading = set()

    def reads(self, node, everywhere):
        """Does the value of this depend on hardware, or, for a body, does it read any?"""
        for n in walk(node):
            if n.get("kind") == "ImplicitCastExpr" and n.get("castKind") == "LValueToRValue" and is_volatile(n["inner"][0]):
                return True
            if n.get("kind") == "CallExpr":
                name = called(n)
                if name is None or name in (self.reading if name in self.functions else everywhere):
                    return True
        return False


def learn(units):
    """@return names of the functions visible everywhere that read hardware; those of each unit are kept in it."""
    everywhere, changed = set(), True
    while changed:
        changed = False
        for unit in units:
            for name, function in unit.functions.items():
                # a call through a pointer says nothing about the caller here: core's flash functions would all be hardware
                if name not in unit.reading and reads_itself(unit, function, everywhere):
                    unit.reading.add(name)
                    everywhere |= {name} - unit.static
                    changed = True
    return everywhere


def reads_itself(unit, function, everywhere):
    for n in walk(function):
        if n.get("kind") == "ImplicitCastExpr" and n.get("castKind") == "LValueToRValue" and is_volatile(n["inner"][0]):
            return True
        if n.get("kind") == "CallExpr":
            name = called(n)
            if name is not None and name in (unit.reading if name in unit.functions else everywhere):
                return True
    return False


# --- loops --------------------------------------------------------------------------------------------------------

def parts(loop):
    """@return (condition or None, increment or None, body)"""
    inner = loop["inner"]
    if loop["kind"] == "ForStmt":
        return (inner[2] if "kind" in inner[2] else None), (inner[3] if "kind" in inner[3] else None), inner[4]  # an empty node: left out
    if loop["kind"] == "WhileStmt":
        return inner[-2], None, inner[-1]
    return inner[1], None, inner[0]


def base(target):
    """The variables that an assignment to this changes: of a[i].b only a."""
    while target.get("kind") != "DeclRefExpr" and target.get("inner"):
        target = target["inner"][0]
    return variables(target)


def changed_in(node):
    """(target expression, value expression or None) of what a piece of code changes."""
    for n in walk(node):
        if n.get("kind") in ("BinaryOperator", "CompoundAssignOperator") and n.get("opcode") in ASSIGNMENTS:
            yield n["inner"][0], n["inner"][1]
        elif n.get("kind") == "UnaryOperator" and n.get("opcode") in ("++", "--"):
            yield n["inner"][0], None
        elif n.get("kind") == "VarDecl" and n.get("inner"):
            yield {"kind": "DeclRefExpr", "referencedDecl": {"id": n["id"], "kind": "VarDecl"}}, n["inner"][-1]
        elif n.get("kind") == "CallExpr":
            for argument in n["inner"][1:]:
                for a in walk(argument):
                    if a.get("kind") == "UnaryOperator" and a.get("opcode") == "&":
                        yield a["inner"][0], n


def is_counted(loop, unit, everywhere):
    condition, increment, body = parts(loop)
    if loop["kind"] != "ForStmt" or condition is None or increment is None:
        return False
    counters = {v for target, value in changed_in(increment) for v in base(target)
                if not is_volatile(target) and (value is None or value.get("kind") == "IntegerLiteral")}
    counters -= {v for target, _ in changed_in(body) for v in base(target)}
    conjuncts, todo = [], [condition]
    while todo:
        n = todo.pop()
        if n.get("kind") == "ParenExpr" or n.get("kind") == "ImplicitCastExpr":
            todo += n["inner"]
        elif n.get("kind") == "BinaryOperator" and n.get("opcode") == "&&":
            todo += n["inner"]
        else:
            conjuncts.append(n)
    for n in conjuncts:
        if n.get("kind") != "BinaryOperator" or n.get("opcode") not in ("<", "<=", ">", ">=", "!="):
            continue
        for one, other in (n["inner"], n["inner"][::-1]):
            literals = [int(x["value"]) for x in walk(other) if x.get("kind") == "IntegerLiteral"]
            if counters & variables(one) and not unit.reads(n, everywhere) and max(literals, default=0) <= MOST:
                return True
    return False


def waits_for_hardware(loop, unit, everywhere):
    """Does the condition depend on hardware, through whichever variables that the loop sets?"""
    condition = parts(loop)[0]
    if unit.reads(condition, everywhere):
        return True
    wanted, tainted, size = variables(condition), set(), -1
    while size != len(tainted):
        size = len(tainted)
        for target, value in changed_in(loop):
            if value is not None and (unit.reads(value, everywhere) or variables(value) & tainted):
                tainted |= base(target)
        for n in walk(loop):  # what is set only if the hardware says so
            if n is not loop and n.get("kind") in ("IfStmt", "SwitchStmt", "ConditionalOperator") + LOOPS:
                asked = parts(n)[0] if n["kind"] in LOOPS else n["inner"][0]
                if asked is not None and (unit.reads(asked, everywhere) or variables(asked) & tainted):
                    for target, _ in changed_in(n):
                        tainted |= base(target)
    return bool(wanted & tainted)


def is_constant(condition):
    kinds = {n.get("kind") for n in walk(condition)}
    return bool(kinds) and kinds <= {"IntegerLiteral", "ImplicitCastExpr", "ParenExpr", "CStyleCastExpr", "UnaryOperator", "CharacterLiteral"}


def is_endless(loop):
    condition = parts(loop)[0]
    if condition is None or not is_constant(condition):
        return condition is None
    # do … while (0) is how macros are written
    return loop["kind"] != "DoStmt" or {n["value"] for n in walk(condition) if n.get("kind") == "IntegerLiteral"} != {"0"}


def bare(node):
    while node.get("kind") in ("ParenExpr", "ImplicitCastExpr"):
        node = node["inner"][0]
    return node


def settled_by(node):
    """Variables whose value goes into this one; those that only choose between two values do not."""
    if node.get("kind") == "ConditionalOperator":
        return settled_by(node["inner"][1]) | settled_by(node["inner"][2])
    if node.get("kind") == "DeclRefExpr":
        return variables(node)
    return set().union(*(settled_by(child) for child in node.get("inner", [])))


def grows(variable, statement):
    """`n++;`, `n += 2;`, `n = … n + 2 …;`"""
    if statement.get("kind") == "UnaryOperator" and statement.get("opcode") == "++":
        return variable in variables(statement)
    if statement.get("kind") not in ("BinaryOperator", "CompoundAssignOperator") or statement.get("opcode") not in ("=", "+=") or variable not in base(statement["inner"][0]):
        return False
    sums = [statement] if statement["opcode"] == "+=" else [n for n in walk(statement["inner"][1]) if n.get("kind") == "BinaryOperator" and n.get("opcode") == "+"
                                                            and variable in variables(n)]
    return any(n.get("kind") == "IntegerLiteral" and int(n["value"]) > 0 for one in sums for n in walk(one))


def is_count(condition, unit, everywhere, tainted, round_):
    """`++n > limit`, or `n > limit` where n grows in every round, with nothing of hardware in it."""
    n = bare(condition)
    if n.get("kind") != "BinaryOperator" or n.get("opcode") not in ("<", "<=", ">", ">=") or unit.reads(n, everywhere):
        return False
    up, limit = n["inner"] if n["opcode"].startswith(">") else n["inner"][::-1]
    up = bare(up)
    here = up.get("kind") == "UnaryOperator" and up.get("opcode") == "++"
    counter = variables(up)
    if len(counter) != 1 or counter & variables(limit) or settled_by(limit) & tainted:
        return False
    return here or (up.get("kind") == "DeclRefExpr" and any(grows(v, statement) for v in counter for statement in round_))


def ways_out(node, unit, under=(), inside=False):
    """What leaves the loop that `node` is a part of: (node, [(condition, whether it must hold)]). `inside`: a break is that of another loop or switch."""
    kind = node.get("kind")
    if kind == "ReturnStmt" or (kind == "BreakStmt" and not inside) or (kind == "CallExpr" and called(node) in unit.ends):
        yield node, under
    if kind == "IfStmt":
        condition, *branches = node["inner"]
        yield from ways_out(condition, unit, under, inside)
        for holds, branch in zip((True, False), branches):
            yield from ways_out(branch, unit, (*under, (condition, holds)), inside)
        return
    if kind == "SwitchStmt" or kind in LOOPS:
        asked = parts(node)[0] if kind in LOOPS else node["inner"][0]
        inside, under = True, (*under, (asked, True)) if asked is not None else under
    for child in node.get("inner", []):
        yield from ways_out(child, unit, under, inside)


def values_of_hardware(loop, unit, everywhere):
    """Variables that take a value from hardware in the loop. A function that gets the address of a member is not thought to change all of the others."""
    tainted, size = set(), -1
    while size != len(tainted):
        size = len(tainted)
        for target, value in changed_in(loop):
            if value is None or (target.get("kind") == "MemberExpr" and any(n is target for n in walk(value))):
                continue
            if unit.reads(value, everywhere) or variables(value) & tainted:
                tainted |= base(target)
    return tainted


def judge_endless(loop, unit, everywhere):
    """@return what is wrong with an endless loop, None for nothing."""
    with open(loop["file"], encoding="utf-8") as f:
        lines = f.read().split("\n")[max(0, loop["line"] - 2):loop["line"]]
    if not any(re.search(r"/\* endless: \S", text) for text in lines):
        return "a loop without an end and without `/* endless: REASON */`"
    if loop["kind"] != "ForStmt" or any("kind" in part for part in loop["inner"][:4]):
        return "a loop without an end is written `for (;;)`"
    body, tainted = parts(loop)[2], values_of_hardware(loop, unit, everywhere)
    round_ = body.get("inner", []) if body.get("kind") == "CompoundStmt" else [body]
    out = list(ways_out(body, unit))
    for node, under in out:
        counts = [holds and is_count(c, unit, everywhere, tainted, round_) for c, holds in under]
        first = counts.index(True) if True in counts else 0
        # what the count is under decides whether it counts at all; behind it, what was heard may decide that it begins again
        if True not in counts or any(holds and (unit.reads(c, everywhere) or (i < first and variables(c) & tainted)) for i, (c, holds) in enumerate(under)):
            return f"called endless, but left in line {node['line']} by something else than a count, such as a flag of the hardware"
    if (out or unit.reads(body, everywhere)) and not any(n.get("kind") == "CallExpr" and called(n) in SLEEPS for n in round_):
        return f"called endless, looks at hardware or can be left, and does not sleep in every round ({', '.join(SLEEPS)})"
    return None


def findings(unit, everywhere):
    for name, function in unit.functions.items():
        for n in walk(function):
            if n.get("kind") in ("GotoStmt", "IndirectGotoStmt"):
                yield n["file"], n["line"], f"{name}: goto"
            if n.get("kind") not in LOOPS:
                continue
            if is_endless(n):
                wrong = judge_endless(n, unit, everywhere)
                if wrong:
                    yield n["file"], n["line"], f"{name}: {wrong}"
            elif not is_counted(n, unit, everywhere) and waits_for_hardware(n, unit, everywhere):
                yield n["file"], n["line"], f"{name}: waits for hardware without a limit (see chip_wait())"


# --- the program --------------------------------------------------------------------------------------------------

def parse(job):
    command, directory = job
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"waits: {' '.join(command)}\n{done.stderr}")
    return Unit(locate(json.loads(done.stdout)), os.path.join(directory, command[-1]))


CLANG = ["clang", "--target=arm-none-eabi", "-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-fsyntax-only", "-w", "-Xclang", "-ast-dump=json"]


def jobs_of(build):
    """What the Arm build compiles of ours, as commands of clang."""
    with open(os.path.join(build, "target", "compile_commands.json"), encoding="utf-8") as f:
        entries = json.load(f)
    text = subprocess.run(["arm-none-eabi-gcc", "--specs=picolibc.specs", "-E", "-v", "-x", "c", "/dev/null"], capture_output=True, text=True,
                          check=True).stderr
    library = re.search(r"search starts here:\n (\S*picolibc\S*)", text).group(1)
    seen, jobs = {}, []
    for entry in entries:
        file = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
        ours = not os.path.relpath(file, ROOT).startswith("..") and os.path.relpath(file, os.path.realpath(build)).startswith("..")
        if ours and file.endswith(".c") and file not in seen:
            seen[file] = True
            words = shlex.split(entry["command"])
            keep = [w for w in words if w.startswith(("-I", "-D", "-std="))]
            keep += [x for i, w in enumerate(words) if w == "-isystem" for x in words[i:i + 2]]
            jobs.append((CLANG + keep + ["-isystem", library, file], entry["directory"]))
    return jobs


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build")
    p.add_argument("files", nargs="*")
    a = p.parse_args()
    if bool(a.build) == bool(a.files):
        p.error("either --build or files")
    jobs = jobs_of(a.build) if a.build else [(CLANG + [os.path.abspath(f)], ".") for f in a.files]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        units = list(pool.map(parse, jobs))
    everywhere = learn(units)
    found = sorted({f for unit in units for f in findings(unit, everywhere)})
    for file, line, text in found:
        print(f"{os.path.relpath(file)}:{line}: {text}")
    loops = sum(n.get("kind") in LOOPS for unit in units for f in unit.functions.values() for n in walk(f))
    print(f"waits: {len(jobs)} files, {loops} loops, {len(found)} findings")
    return 1 if found or not loops else 0


if __name__ == "__main__":
    sys.exit(main())
