"""Time zones and frequencies in pickles of pandas, by the names that it finds them again by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn import frames
from safemodel.adapters.sklearn.parts import Reduced
from safemodel.adapters.sklearn.scope import SpecError

# Offsets that are a number of one unit, and the unit's name since pandas 2.2.
_OFFSETS: Final[Mapping[str, str]] = {
    "Day": "D",
    "Hour": "h",
    "Minute": "min",
    "Second": "s",
    "Milli": "ms",
    "Micro": "us",
    "Nano": "ns",
    "BusinessDay": "B",
    "MonthBegin": "MS",
    "MonthEnd": "ME",
}
# Of what else pickles of zones are made; these become records.
ZONES: Final = frozenset(
    {
        *("datetime.timedelta", "datetime.timezone", "pytz._UTC", "pytz._p"),
        "zoneinfo.ZoneInfo._unpickle",
    }
)


def offset_name(offset: Any, told: Reduced) -> str:
    """The name of a frequency.

    Raises:
        SpecError: one that is not a number of one unit.
    """
    unit = _OFFSETS.get(type(offset).__name__)
    arguments = told.of(offset).arguments if unit else ()
    count, normalize = (*arguments, 1, False)[:2]
    if not arguments and unit:  # pandas 1.0 has them in the state
        state = told.of(offset).state
        count = state.get("n", 1) if type(state) is dict else 1
    if unit is None or type(count) is not int or normalize:
        raise SpecError("has a frequency that is not a number of one unit")
    return unit if count == 1 else f"{count}{unit}"


def zone_name(zone: Any, told: Reduced) -> str:
    """The name by which pandas finds a time zone again.

    Raises:
        SpecError: it has none.
    """
    inner, name = told.of(zone), type(zone).__name__
    if name == "_UTC":
        return "UTC"
    if name in ("_p", "_unpickle") and inner.arguments and type(inner.arguments[0]) is str:
        return frames.check_zone(inner.arguments[0])
    if name == "timezone":
        days, seconds, micros = told.of(inner.arguments[0]).arguments
        minutes, rest = divmod(days * 86_400 + seconds, 60)
        if not rest and not micros:
            sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
            shown = f"{sign}{minutes // 60:02}:{minutes % 60:02}" if minutes else ""
            return frames.check_zone(f"UTC{shown}")
    raise SpecError("has a time zone without a name")
