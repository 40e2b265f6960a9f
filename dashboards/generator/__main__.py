"""Writes the dashboards beside this folder.

    python3 dashboards/generator            writes them
    python3 dashboards/generator --check    writes nothing; shows where they differ, and fails if they do

Needs grafana-foundation-sdk==0.0.21 from PyPI.
"""

import argparse
import difflib
import pathlib
import sys

import exporter
import fleet
import tenant

FOLDER = pathlib.Path(__file__).resolve().parent.parent

DASHBOARDS = {
    "avepoint-fleet.json": fleet.dashboard,
    "avepoint-tenant.json": tenant.dashboard,
    "avepoint-exporter.json": exporter.dashboard,
}


def difference(path, text):
    """How the file differs from what is generated; nothing when it does not."""
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = (found.splitlines(), text.splitlines())
    return list(
        difflib.unified_diff(*lines, f"{path.name} in the tree", f"{path.name} as generated", lineterm="")
    )


def main():
    parser = argparse.ArgumentParser(prog="dashboards/generator", description="Writes the dashboards.")
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    different = False
    for name, make in DASHBOARDS.items():
        path, text = FOLDER / name, make()
        if check:
            lines = difference(path, text)
            different = different or bool(lines)
            print("\n".join(lines) or f"{name} is as generated")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    if different:
        sys.exit(
            "dashboards differ from what is generated: run python3 dashboards/generator, and commit them"
        )


if __name__ == "__main__":
    main()
