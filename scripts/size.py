#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bootloader's size, RAM and worst stack.

The stack is the deepest path through the compiler's call graph (-fcallgraph-info=su). Calls through a pointer are resolved by what the source
line says; one that cannot be resolved, and any recursion, is an error."""
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
STACK_KEPT = 16384  # bootloader.ld asserts it
# what a call through a pointer may reach in the bootloader (target/bootloader/main.c, target/chip/flash.c)
POINTERS = {"->read(": ["flash_read"], "->program(": ["flash_program"], "->erase(": ["flash_erase"],
            "view->check(": ["check_slot"], "->send(": ["link_send"], "->reboot(": ["link_reboot"], "->baud(": ["link_baud"],
            "->install(": ["fota_server_install"]}
LIBRARY_FRAME = 32  # memcpy and friends of picolibc carry no information; none of them uses more
EXCEPTION_FRAME = 0  # the bootloader takes no interrupt


def call_graph(path):
    nodes, edges = {}, {}
    for line in open(path, encoding="utf-8"):
        node = re.match(r'node: \{ title: "([^"]*)" label: "([^"]*)"', line)
        edge = re.match(r'edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"(?: label: "([^"]*)")?', line)
        if node:
            label = node.group(2).replace("\\n", "\n").split("\n")
            size = re.match(r"(\d+) bytes \((\w+)", label[2]) if len(label) > 2 else None
            if size and size.group(2) not in ("static", "dynamic,bounded"):
                sys.exit(f"size: the stack of {label[0]} is not bounded: {label[2]}")
            nodes[node.group(1)] = (label[0], int(size.group(1)) if size else LIBRARY_FRAME)
        elif edge:
            edges.setdefault(edge.group(1), []).append((edge.group(2), edge.group(3) or ""))
    return nodes, edges


def resolve(place):
    """The functions that the call through a pointer at FILE:LINE:COLUMN may reach."""
    name, line, _ = place.rsplit(":", 2)
    text = open(name, encoding="utf-8").read().split("\n")
    statement = "".join(text[int(line) - 1:int(line) + 2])
    for pattern, targets in POINTERS.items():
        if pattern in statement:
            return targets
    sys.exit(f"size: do not know where the call through a pointer at {place} goes; add it to scripts/size.py")


def deepest(nodes, edges, start):
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
                    names = resolve(place)
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
    nodes, edges = call_graph(graphs[0])
    stack, chain = deepest(nodes, edges, "reset")
    if a.verbose:
        for name, own in chain:
            print(f"  {own:>6}  {name}")
    print("bootloader:")
    return figures.publish(a.build, "size", [
        figures.row("bootloader", code + CONFIG_BLOCK, "B", SECTOR),
        figures.row("bootloader_code", code, "B"),
        figures.row("bootloader_stack", stack + EXCEPTION_FRAME, "B", 4096),
        figures.row("bootloader_ram", ram, "B", RAM - STACK_KEPT),
    ])


if __name__ == "__main__":
    sys.exit(main())
