"""`python -m benchmarks [new|update|kills|road ...]`: measure, and write RESULTS.md.

Without a name every part is measured, which takes about half an hour on a quiet machine.
`--quick` runs everything with tiny counts and prints the report without keeping anything. The load
on the servers comes from wrk where it is installed (`apt install wrk`), else from our own client.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from typing import Any

from benchmarks import (
    deploy,
    image,
    kills,
    large,
    machine,
    new,
    predict,
    report,
    road,
    status,
    update,
)
from benchmarks.programs import BenchmarkError
from benchmarks.workshop import Workshop, workshop

PARTS = {
    "new": new,
    "update": update,
    "status": status,
    "kills": kills,
    "road": road,
    "predict": predict,
    "large": large,
    "deploy": deploy,
    "image": image,
}
RENDERERS = {name: part.render for name, part in PARTS.items()}


def main() -> int:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="tiny counts; keeps nothing")
    parser.add_argument("--render", action="store_true", help="measure nothing, write RESULTS.md")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(
            f"there is no part {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}"
        )
    # With it every fresh virtual environment compiles its sources anew on each start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    measured: dict[str, dict[str, Any]] = {}
    try:
        with workshop(given.quick) as shop:
            for name in [] if given.render else given.parts or PARTS:
                measured[name] = _measure(name, shop)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        print("  try: make setup, then that part alone with --quick", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; parts that were finished are kept", file=sys.stderr)
        return 130
    if given.quick:
        print(report.markdown(measured, RENDERERS))
        return 0
    report.REPORT.write_text(report.markdown(report.saved(list(PARTS)), RENDERERS), "utf-8")
    print(f"wrote {report.REPORT.name}", file=sys.stderr)
    return 0


def _measure(name: str, shop: Workshop) -> dict[str, Any]:
    """Measure one part and keep its numbers at once, in case a later one fails."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    raw: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": machine.facts(),
        "load": machine.load_average(),
    } | PARTS[name].measure(shop)
    if not shop.quick:
        report.save(name, raw)
    return raw


if __name__ == "__main__":
    sys.exit(main())
