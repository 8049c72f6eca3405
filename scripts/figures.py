# SPDX-License-Identifier: MIT
"""Figures: what a measuring target writes to build/figures/<target>.json and prints."""
import json
import os


def row(name, value, unit, bar=None, ok=None, least=None):
    """A figure. `bar` is the limit it is held against, None for none; without `ok` the value must not exceed it. `least` is the other way round: less would mean
    that nothing of interest happened."""
    if least is not None:
        bar, ok = f"at least {least}", value >= least
    if ok is None:
        ok = bar is None or value <= bar
    return {"name": name, "value": value, "unit": unit, "bar": bar, "ok": bool(ok)}


def publish(build, target, rows):
    """Write and print the figures. Returns the exit status: 1 where a bar is missed."""
    folder = os.path.join(build, "figures")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, target + ".json"), "w", encoding="utf-8") as f:
        json.dump(rows, f, indent=1)
        f.write("\n")
    width = max(len(r["name"]) for r in rows)
    for r in rows:
        bar = "" if r["bar"] is None else f"  ({r['bar']})" if isinstance(r["bar"], str) else f"  (bar {r['bar']})"
        print(f"  {r['name']:<{width}}  {r['value']:>10} {r['unit']}{bar}{'' if r['ok'] else '  MISSED'}")
    return 0 if all(r["ok"] for r in rows) else 1
