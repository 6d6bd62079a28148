"""What is known of names that pickles look up. (Interface; the tables are data beside it.)"""

from __future__ import annotations


class Tables:
    """The tables, with a user's policy."""
