"""Fuzz target: any bytes through the pickle machine.

    python -m pip install atheris
    PYTHONPATH=. python tests/fuzz/fuzz_pickle.py tests/fuzz/corpus/pickle -max_total_time=60

The facts end in exactly one `Stop` or `Failure`; a stream in pieces gives the facts of the whole;
a value tree has the sites that a scan has.
"""

from __future__ import annotations

import sys


def run(data: bytes) -> None:
    """One input."""
    from safemodel.legacy.content import Stream, View
    from safemodel.legacy.pickle_facts import Failure, Stop
    from safemodel.legacy.pickle_input import DIALECTS
    from safemodel.legacy.pickle_machine import MachineLimits, trace

    limits = MachineLimits(stack=1 << 20, marks=1 << 16, memo=1 << 20)
    size = 1 + len(data) % 13
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    for dialect in DIALECTS:
        facts = list(trace(View(data).reader(), dialect=dialect, limits=limits))
        ends = [fact for fact in facts if isinstance(fact, Stop | Failure)]
        assert ends == facts[-1:]
        whole = [(type(fact), getattr(fact, "offset", None)) for fact in facts]
        others = (
            trace(View(data).reader(), dialect=dialect, limits=limits, values=True),
            trace(Stream(lambda: iter(pieces)).reader(), dialect=dialect, limits=limits),
        )
        for other in others:
            assert [(type(fact), getattr(fact, "offset", None)) for fact in other] == whole


def main() -> None:
    """Run under libFuzzer."""
    import atheris

    with atheris.instrument_imports(include=["safemodel"]):
        import safemodel.legacy.content
        import safemodel.legacy.pickle_machine  # noqa: F401
    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
