"""Make the figures of the documents again and compare: the marked blocks of README.md and docs/.

tox run -e docs-figures                                   all that can be made here; fails where one differs
tox run -e docs-figures -- --stored                       those of stored baselines, in a second
tox run -e docs-figures -- nano-sources --portraits DIR   one; DIR holds aligned portraits (docs/nano.md: faces/val)
tox run -e docs-figures -- --write                        put what is found in their place
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.figures.blocks import DOCUMENTS, ROOT, blocks, replaced
from tests.figures.made import FIGURES


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.figures.check", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="FIGURE", help=f"of {', '.join(FIGURES)}; all unless named")
    parser.add_argument("--stored", action="store_true", help="only what is made from the checkout, in a second")
    parser.add_argument("--portraits", type=Path, help="folder of aligned portraits; without it their figures stay")
    parser.add_argument("--write", action="store_true", help="write what differs into the documents")
    wanted = parser.parse_args(arguments)
    unknown = [name for name in wanted.names if name not in FIGURES]
    if unknown:
        parser.error(f"no figure is called {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    if wanted.portraits and not wanted.portraits.is_dir():
        parser.error(f"--portraits {wanted.portraits}: no such folder")
    names = {name for name in wanted.names or FIGURES if FIGURES[name].stored or not wanted.stored}
    stale = 0
    for document in DOCUMENTS:
        path = ROOT / document
        text = path.read_text(encoding="utf-8")
        for block in blocks(document, text):
            if block.name not in names:
                continue
            made = FIGURES[block.name].make(block.text, wanted.portraits)
            if made == block.text:
                print(f"{document}:{block.line}: {block.name}: as made", flush=True)
                continue
            stale += 1
            print(f"{document}:{block.line}: {block.name}: differs{', written' if wanted.write else ''}")
            print(
                "\n".join(difflib.unified_diff(block.text.splitlines(), made.splitlines(), "text", "made", lineterm=""))
            )
            if wanted.write:
                text = replaced(text, document, {block.name: made})
                path.write_text(text, encoding="utf-8")
    return 1 if stale and not wanted.write else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
