"""`python -m docsite [FOLDER]` builds the site, or says what is wrong with the pages."""

import sys
from pathlib import Path

from docsite.build import build

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Build, and give the exit code."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "docs"
    site, faults = build(ROOT, out)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print(f"{len(faults)} faults; the site was not written", file=sys.stderr)
        return 1
    print(f"{len(site.pages)} pages in {out}; open {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
