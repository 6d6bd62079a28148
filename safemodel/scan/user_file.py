"""Reading a small file that the user names: a policy, a baseline. None is ever looked for."""

from __future__ import annotations

from safemodel.errors import SourceError, UsageError


def read_user_file(path: str, *, what: str, limit: int) -> bytes:
    """All bytes of a file.

    Args:
        what: the noun of the messages, such as "policy".
        limit: the most bytes that it may have.

    Raises:
        SourceError: it can't be read.
        UsageError: it is larger.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SourceError(f"the {what} can't be read: {reason}", path=path) from error
    if len(data) > limit:
        raise UsageError(f"a {what} has at most {limit} bytes")
    return data
