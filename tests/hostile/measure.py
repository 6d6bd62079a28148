"""Scan files, each in a process of its own, and say what that cost.

Reads lines of JSON, `[path, seconds]`, and answers each with one: exit code, seconds, the largest
resident memory in bytes, the rules that were found, and the exception that came out if one did.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

from safemodel.scan import engine
from safemodel.scan.budget import Limits
from safemodel.scan.opening import opened


def measure(path: str, seconds: float) -> dict[str, object]:
    """What scanning one file costs here and now."""
    limits = Limits(seconds=seconds)
    started = time.monotonic()
    with opened(path) as data:
        if data is None:
            raise ValueError("no regular file")
        found = engine.scan_bytes(data, path, limits=limits)
    took = time.monotonic() - started
    from safemodel.report.model import Report

    report = Report((found,), "", "", frozenset({path}))
    return {
        "code": report.exit_code(),
        "seconds": took,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "rules": sorted({finding.rule for finding in found.findings}),
        "messages": [f"{f.location.inside} {f.message}"[:200] for f in found.findings[:8]],
    }


def answer(path: str, seconds: float) -> dict[str, object]:
    """The same in a forked process, which is killed if it takes far too long."""
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        os.close(receive)
        try:
            os.write(send, json.dumps(measure(path, seconds)).encode())
        except BaseException as error:
            os.write(send, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    if not text:
        return {"error": f"died with status {status}"}
    result: dict[str, object] = json.loads(text)
    return result


def main() -> None:
    os.environ["SAFEMODEL_DEBUG"] = "1"  # a defect is an error here, and no finding
    for line in sys.stdin:
        path, seconds = json.loads(line)
        print(json.dumps(answer(path, seconds)), flush=True)


if __name__ == "__main__":
    main()
