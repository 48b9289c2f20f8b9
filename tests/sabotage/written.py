"""The table of saboteurs and innocent changes, made of the lines that ``table.py`` left.

python -m tests.sabotage.written [FOLDER]      of report/sabotage unless told; writes report/sabotage.{md,json,html}
"""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.sabotage.argued import ARGUED

Line = Mapping[str, Any]


def read(folder: Path) -> dict[str, list[Line]]:
    """Lines by table, each table in the order of kinds and names."""
    tables: dict[str, list[Line]] = {"saboteurs": [], "source": [], "innocent": []}
    for path in sorted(folder.glob("*.json")):
        line = json.loads(path.read_text(encoding="utf-8"))
        tables[line["table"]].append(line)
    for lines in tables.values():
        lines.sort(key=lambda line: (line.get("kind", ""), line["name"], line.get("case", "")))
    return tables


def share(lines: Sequence[Line], *keys: str) -> str:
    return f"{sum(any(line[key] for key in keys) for line in lines)} / {len(lines)}"


def of_kinds(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """Caught / total of each kind and of all."""
    rows: list[tuple[str, ...]] = [
        ("kind", "caught by the suite", "by the gate", "by the gate, baseline of another machine", "made again")
    ]
    for kind in (*sorted({line["kind"] for line in lines}), "all"):
        of_kind = [line for line in lines if kind in ("all", line["kind"])]
        counts = (share(of_kind, *keys) for keys in (("here", "remade"), ("here",), ("elsewhere",), ("remade",)))
        rows.append((kind, *counts))
    return rows


def of_changes(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """False alarms / runs of each innocent change and of all."""
    rows: list[tuple[str, ...]] = [("change", "false alarms / runs", "on the baseline's machine", "on another")]
    for name in (*sorted({line["name"] for line in lines}), "all"):
        of_name = [line for line in lines if name in ("all", line["name"])]
        here = [line for line in of_name if not line["elsewhere_only"]]
        counts = (share(of_name, "here", "elsewhere"), share(here, "here") if here else "", share(of_name, "elsewhere"))
        rows.append((name, *counts))
    return rows


def first(reason: str) -> str:
    """The first finding of several."""
    return reason.partition(";")[0][:160]


def sections(
    tables: Mapping[str, Sequence[Line]], argued: Mapping[str, str]
) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Title and rows of each table; the first row is its head."""
    found = [("Saboteurs, by kind", of_kinds(tables["saboteurs"]))]
    found.append(("Innocent changes", of_changes(tables["innocent"])))
    rows: list[tuple[str, ...]] = [("bug", "kind", "file", "noticed by")]
    rows += [(line["name"], line["kind"], line["file"], line["noticed"] or "nothing") for line in tables["source"]]
    found.append((f"Bugs in the source: {share(tables['source'], 'noticed')} noticed", rows))
    rows = [("saboteur", "kind", "gate", "gate, another machine", "made again")]
    for line in tables["saboteurs"]:
        missed = f"nothing: {argued.get(line['name'], 'not argued')}"
        here = first(line["here"]) or ("" if line["remade"] else missed)
        rows.append((line["name"], line["kind"], here, first(line["elsewhere"]), first(line["remade"])))
    found.append(("Saboteurs", rows))
    return found


def markdown(title: str, rows: Sequence[Sequence[str]]) -> str:
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    head = ["| " + " | ".join(cells[0]) + " |", "|" + " --- |" * len(cells[0])]
    return "\n".join([f"## {title}", "", *head, *("| " + " | ".join(row) + " |" for row in cells[1:]), ""])


def page(title: str, rows: Sequence[Sequence[str]]) -> str:
    def line(row: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows[1:])
    return f"<h2>{html.escape(title)}</h2>\n<table>\n{line(rows[0], 'th')}\n{body}\n</table>"


STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;"
    "border-bottom:1px solid #ddd}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
    "td,th{border-color:#444}}"
)


def main(folder: Path) -> int:
    tables = read(folder)
    if not any(tables.values()):
        print(f"{folder}: holds no lines; run pytest tests/sabotage/table.py first", file=sys.stderr)
        return 2
    found = sections(tables, ARGUED)
    text = "\n".join(["# What the suite catches, and what it lets pass", "", *(markdown(*one) for one in found)])
    tables_html = "\n".join(page(*one) for one in found)
    whole = (
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Saboteurs</title><style>{STYLE}</style>\n<h1>What the suite catches, and what it lets pass</h1>\n"
        f"{tables_html}\n</html>\n"
    )
    for suffix, content in ((".md", text), (".html", whole), (".json", json.dumps(tables, indent=1))):
        partial = folder.with_name(f".{folder.name}{suffix}.part")
        partial.write_text(content, encoding="utf-8")
        partial.replace(folder.with_suffix(suffix))
    print("\n".join(markdown(*one) for one in found[:2]))
    print(f"written: {folder.with_suffix('.md')}, .html and .json")
    wrong = [line for line in tables["saboteurs"] if not (line["here"] or line["remade"] or line["name"] in ARGUED)]
    wrong += [line for line in tables["source"] if not line["noticed"]]
    wrong += [line for line in tables["innocent"] if line["here"] or line["elsewhere"]]
    for line in wrong:
        print(f"{line['table']}: {line['name']} {line.get('case', '')}", file=sys.stderr)
    return int(bool(wrong))


def clear(folder: Path) -> int:
    """Remove the lines of an earlier run."""
    for path in folder.glob("*.json"):
        path.unlink()
    return 0


if __name__ == "__main__":
    given = sys.argv[1:]
    where = Path(next((word for word in given if word != "--clear"), "report/sabotage"))
    sys.exit(clear(where) if "--clear" in given else main(where))
