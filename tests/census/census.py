"""The census: every global that pickles of real models look up, by library and version.

    python tests/census/census.py take OUT.json [--python PYTHON] [--groups GROUP ...]
    python tests/census/census.py merge tests/census/census.json OUT.json ...

`take` makes models with the libraries of an interpreter (this one's, or `--python` of a virtual
environment with older ones), pickles them in every protocol, and records without unpickling which
globals the files look up and what they do with them. `merge` puts several of these together into
the file that the tests compare the scanner's tables with (test_census.py). What the environments
were is in README.md.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from recorder import Record, record  # noqa: E402


def take(python: str, groups: list[str]) -> dict[str, Any]:
    """Make, record, and ask what each name is."""
    with tempfile.TemporaryDirectory(prefix="census-") as name:
        folder = Path(name)
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        command = [python, str(HERE / "make.py"), name, *groups]
        subprocess.run(command, check=True, env=environment, cwd=name)
        index = json.loads((folder / "index.json").read_text())
        record_, cases, problems = read(folder, index["files"])
        keys = sorted(record_.names)
        (folder / "names.json").write_text(json.dumps(keys))
        command = [python, str(HERE / "make.py"), "--kinds", name]
        subprocess.run(command, check=True, env=environment, cwd=name)
        kinds = {(m, n): about for m, n, about in json.loads((folder / "kinds.json").read_text())}
    names = [
        {"module": m, "name": n, **kinds[m, n], **record_.names[m, n], "cases": cases[m, n]}
        for m, n in keys
    ]
    return {
        "python": index["python"],
        "libraries": index["libraries"],
        "files": len(index["files"]),
        "names": names,
        "persistent": record_.persistent,
        "problems": sorted(set(problems)),
        "skipped": index["skipped"],
    }


def read(
    folder: Path, files: list[dict[str, str]]
) -> tuple[Record, dict[tuple[str, str], list[str]], list[str]]:
    """Record every file; per name, a few of the cases that have it."""
    total = Record()
    cases: dict[tuple[str, str], list[str]] = {}
    problems = []
    for file in files:
        before = {key: entry["count"] for key, entry in total.names.items()}
        for part in parts((folder / file["file"]).read_bytes()):
            try:
                record(part, total)
            except Exception as error:  # a file that this tool cannot follow is worth a look
                problems.append(f"{file['group']} {file['case']} {file['way']}: {error!r}")
        for key, entry in total.names.items():
            if entry["count"] != before.get(key, 0):
                case = f"{file['group']}:{file['case']}"
                known = cases.setdefault(key, [])
                if case not in known and len(known) < 3:
                    known.append(case)
    return total, cases, problems + total.problems


def parts(data: bytes) -> list[bytes]:
    """The pickles of a file: its own bytes, or the members of a torch archive."""
    if not data.startswith(b"PK\x03\x04"):
        return [data]
    found = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith((".pkl", ".debug_pkl")):
                found.append(content)
            elif name.endswith((".pt", ".pt2")):
                found += parts(content)
    return found


def merge(paths: list[str]) -> dict[str, Any]:
    """One census of several: names with the environments that have them."""
    environments = {}
    names: dict[tuple[str, str], dict[str, Any]] = {}
    for number, path in enumerate(sorted(paths)):
        taken = json.loads(Path(path).read_text())
        key = str(number)
        environments[key] = {
            "python": taken["python"],
            "libraries": taken["libraries"],
            "files": taken["files"],
        }
        for entry in taken["names"]:
            if entry["module"].startswith("libraries."):
                continue  # the census's own classes, which stand for those of users
            fresh: dict[str, Any] = {
                "kind": entry["kind"],
                "uses": [],
                "arguments": [],
                "states": [],
                "in": [],
                "environments": [],
            }
            merged = names.setdefault((entry["module"], entry["name"]), fresh)
            if entry["kind"] != "missing":
                merged["kind"] = entry["kind"]
            merged["uses"] = sorted(set(merged["uses"]) | set(entry["uses"]))
            for field, limit in (("arguments", 8), ("states", 3), ("in", 4)):
                room = limit - len(merged[field])
                merged[field] += [v for v in entry[field] if v not in merged[field]][: max(room, 0)]
            merged["environments"].append(number)
    return {
        "about": "made by tests/census/census.py; see tests/census/README.md",
        "environments": environments,
        "names": {
            f"{module} {name}": {k: v for k, v in entry.items() if v != []}
            for (module, name), entry in sorted(names.items())
        },
    }


def compact(census: dict[str, Any]) -> str:
    """JSON with one line for each environment and name, so that differences can be read."""
    lines = ["{", f'"about": {json.dumps(census["about"])},', '"environments": {']
    for field in ("environments", "names"):
        rows = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in census[field].items()]
        lines += [",\n".join(rows), '},\n"names": {' if field == "environments" else "}"]
    return "\n".join([*lines, "}"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("take")
    verb.add_argument("out")
    verb.add_argument("--python", default=sys.executable)
    verb.add_argument("--groups", nargs="*", default=[])
    verb = verbs.add_parser("merge")
    verb.add_argument("out")
    verb.add_argument("taken", nargs="+")
    arguments = parser.parse_args()
    if arguments.verb == "take":
        taken = take(arguments.python, arguments.groups)
        Path(arguments.out).write_text(json.dumps(taken, indent=1))
        print(f"{len(taken['names'])} names in {taken['files']} files")
        for line in [*taken["problems"], *taken["skipped"]]:
            print(f"  {line}", file=sys.stderr)
    else:
        census = merge(arguments.taken)
        Path(arguments.out).write_text(compact(census))
        print(f"{len(census['names'])} names of {len(census['environments'])} environments")


if __name__ == "__main__":
    main()
