#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Size, RAM and worst stack of the bootloader, and of the agent as an application links it.

The stack is the deepest path through the compiler's call graph (-fcallgraph-info=su), and an exception on top of it. Its bar is what the linker script reserves
(_stack_size). Calls through a pointer are resolved by what the source line says. An error is: one that cannot be resolved, recursion, a frame
without a bound, a function in the program that is not in the graph, a library function with a larger frame than is reckoned with."""
import argparse
import glob
import os
import re
import subprocess
import sys

import figures

CONFIG_BLOCK = 256
SECTOR = 16384
RAM = 131072
# what a call through a pointer may reach in the bootloader (target/bootloader/main.c, target/chip/flash.c)
POINTERS = {"->read(": ["flash_read"], "->program(": ["flash_program"], "->erase(": ["flash_erase"],
            "view->check(": ["check_slot"], "->send(": ["link_send"], "->reboot(": ["link_reboot"], "->baud(": ["link_baud"],
            "chip_flash_idle(": [], "->may_reboot(": [], "->install(": ["install"], "driver->position(": ["write_position"], "driver->ready(": ["ready"],
            "driver->go(": ["go"], "driver->flush(": ["flush"]}
# the same in the agent (target/agent); the application's callbacks are its own affair
AGENT_POINTERS = {"chip_flash_idle(": [], "agent->port->": [], "port->peek(": [], "port->take(": [], "port->idle(": [], "port->now_ms(": [], "hooks->may(": [], "hooks->done(": [],
                  "->send(": ["link_send"], "->may_reboot(": ["may_reboot"], "->reboot(": ["link_reboot"], "->baud(": [], "update->step(": ["step"],
                  "->install(": ["install"], "->read(": ["flash_read"], "->program(": ["flash_program"], "->erase(": ["flash_erase"]}
AGENT_CRYPTO = ("sha2small", "dec32be", "enc32be", "ecdsa_p256m", "sha256_bearssl")
AGENT_DRIVERS = ("uart", "spi", "dma", "line", "clock")  # the application's, of which the library has some
AGENT_TEXT, AGENT_RAM = 6144, 6144
LIBRARY_FRAME = 32  # of picolibc's functions, which come without information: library() looks at what they push
EXCEPTION_FRAME = 36  # 8 words and one to align: no interrupt is taken, but a fault may be


def call_graph(path):
    nodes, edges, without = {}, {}, set()
    for line in open(path, encoding="utf-8"):
        node = re.match(r'node: \{ title: "([^"]*)" label: "([^"]*)"', line)
        edge = re.match(r'edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"(?: label: "([^"]*)")?', line)
        if node:
            label = node.group(2).replace("\\n", "\n").split("\n")
            size = re.match(r"(\d+) bytes \((\w+)", label[2]) if len(label) > 2 else None
            if size and size.group(2) not in ("static", "dynamic,bounded"):
                sys.exit(f"size: the stack of {label[0]} is not bounded: {label[2]}")
            nodes[node.group(1)] = (label[0], int(size.group(1)) if size else LIBRARY_FRAME)
            if not size:
                without.add(node.group(1))
        elif edge:
            edges.setdefault(edge.group(1), []).append((edge.group(2), edge.group(3) or ""))
    return nodes, edges, without


def resolve(place, pointers):
    """The functions that the call through a pointer at FILE:LINE:COLUMN may reach."""
    name, line, _ = place.rsplit(":", 2)
    text = open(name, encoding="utf-8").read().split("\n")
    statement = "".join(text[int(line) - 1:int(line) + 2])
    for pattern, targets in pointers.items():
        if pattern in statement:
            return targets
    sys.exit(f"size: do not know where the call through a pointer at {place} goes; add it to scripts/size.py")


def deepest(nodes, edges, start, pointers):
    by_name = {}
    for title, (name, _) in nodes.items():
        by_name.setdefault(name, title)
    memo, path = {}, []

    def depth(title):
        if title in path:
            sys.exit("size: recursion: " + " -> ".join(nodes[t][0] for t in path[path.index(title):]))
        if title not in memo:
            path.append(title)
            below = [(0, [])]
            for target, place in edges.get(title, []):
                reached = [target]
                if target == "__indirect_call":
                    names = resolve(place, pointers)
                    missing = [n for n in names if n not in by_name]
                    if missing:
                        sys.exit(f"size: {missing[0]} is not in the call graph (inlined?); see {place}")
                    reached = [by_name[n] for n in names]
                below += [depth(t) for t in reached]
            path.pop()
            size, chain = max(below)
            name, own = nodes.get(title, (title, LIBRARY_FRAME))
            memo[title] = (size + own, [(name, own)] + chain)
        return memo[title]

    return depth(start)


def symbols(elf):
    """@return ({name: address} of all, set of the functions' names)"""
    table, functions = {}, set()
    for line in subprocess.run(["arm-none-eabi-readelf", "-sW", elf], check=True, capture_output=True, text=True).stdout.split("\n"):
        word = line.split()
        if len(word) == 8 and word[0] != "Num:" and word[6] != "UND":
            table[word[7]] = int(word[1], 16)
            if word[3] == "FUNC":
                functions.add(word[7])
    return table, functions


def library(elf, table, functions, nodes, without):
    """Every function is in the graph, and those that are there without their frames push no more than is reckoned with."""
    known = {name.split(".")[0] for name, _ in nodes.values()}  # .isra.0 and the like: what the optimizer made of it
    apart = {table[name] for name in without if name in table}  # __aeabi_memcpy is memcpy
    for name in functions:
        if name.split(".")[0] not in known and table[name] not in apart:
            sys.exit(f"size: {name} is not in the call graph: its stack is not known")
    for name in sorted(without & set(table)):
        code = subprocess.run(["arm-none-eabi-objdump", "-d", "--disassemble=" + name, elf], check=True, capture_output=True, text=True).stdout
        lists = re.findall(r"(?:\tpush\S*\t|\tstmdb\tsp!, )\{([^}]*)\}", code)
        pushed = 4 * sum(len(registers.split(",")) for registers in lists)
        pushed += sum(int(n) for n in re.findall(r"\tsub(?:w|\.w)?\tsp, (?:sp, )?#(\d+)", code)) + 4 * len(re.findall(r"\[sp, #-4\]!", code))
        if pushed > LIBRARY_FRAME or re.search(r"vpush|\tsub\S*\tsp, (?:sp, )?r", code):
            sys.exit(f"size: {name} uses {pushed} bytes of stack or more, {LIBRARY_FRAME} are reckoned with")


def agent(target):
    """Rows of the agent: what busy links of it, its state with one line and a ring of 2 KiB, and the deepest stack of each poll."""
    text = 0
    for path, size in re.findall(r"^ \.(?:text|rodata|data)[^\n]*?(?:\n\s+)?\s+0x[0-9a-f]{8,16}\s+(0x[0-9a-f]+) (libfota_agent\.a\(.*?\))$",
                                 open(os.path.join(target, "busy-1.0.0.a.map"), encoding="utf-8").read().split("Linker script and memory map")[1], re.M):
        path, size = size, path
        if not any(f"({part}.c" in path for part in AGENT_CRYPTO + AGENT_DRIVERS):
            text += int(size, 16)
    ram = sum(int(m) for m in re.findall(r"^\s+\d+: \w+\s+(\d+) OBJECT\s+LOCAL\s+DEFAULT\s+\d+ (?:agent|update|ring)$",
                                         subprocess.run(["arm-none-eabi-readelf", "-sW", os.path.join(target, "busy-1.0.0.a.elf")],
                                                        check=True, capture_output=True, text=True).stdout, re.M))
    nodes, edges = {}, {}
    for path in glob.glob(os.path.join(target, "CMakeFiles", "fota_agent.dir", "**", "*.ci"), recursive=True):
        more_nodes, more_edges, _ = call_graph(path)
        nodes.update({k: v for k, v in more_nodes.items() if k not in nodes or v[1] != LIBRARY_FRAME})
        for k, v in more_edges.items():
            edges.setdefault(k, []).extend(v)
    stack, chain = deepest(nodes, edges, "fota_agent_poll", AGENT_POINTERS)
    return [figures.row("agent_text", text, "B", f"aimed at {AGENT_TEXT}", ok=True), figures.row("agent_ram", ram, "B", AGENT_RAM),
            figures.row("agent_stack", stack, "B")], chain


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default="build")
    p.add_argument("--verbose", action="store_true", help="print the deepest path")
    a = p.parse_args()
    target = os.path.join(a.build, "target")
    elf = os.path.join(target, "bootloader.elf")
    sections = subprocess.run(["arm-none-eabi-size", "-A", elf], check=True, capture_output=True, text=True).stdout
    ram = sum(int(size) for name, size in re.findall(r"^\.(data|bss|ring)\s+(\d+)", sections, re.M))
    code = os.path.getsize(os.path.join(target, "bootloader.bin"))
    graphs = glob.glob(os.path.join(target, "bootloader.elf.*.ci"))
    if len(graphs) != 1:
        sys.exit(f"size: expected one call graph beside {elf}, found {len(graphs)}")
    nodes, edges, without = call_graph(graphs[0])
    table, functions = symbols(elf)
    library(elf, table, functions, nodes, without)
    if table["_stack_top"] - table["_stack_limit"] < table["_stack_size"]:
        sys.exit("size: the stack that bootloader.ld reserves is not there")
    stack, chain = deepest(nodes, edges, "reset", POINTERS)
    if a.verbose:
        for name, own in chain:
            print(f"  {own:>6}  {name}")
    rows, chain = agent(target)
    if a.verbose:
        print("agent:")
        for name, own in chain:
            print(f"  {own:>6}  {name}")
    return figures.publish(a.build, "size", [
        figures.row("bootloader", code + CONFIG_BLOCK, "B", SECTOR),
        figures.row("bootloader_code", code, "B"),
        figures.row("bootloader_stack", stack + EXCEPTION_FRAME, "B", table["_stack_size"]),
        figures.row("bootloader_ram", ram, "B", RAM - table["_stack_size"]),
    ] + rows)


if __name__ == "__main__":
    sys.exit(main())
