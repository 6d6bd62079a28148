"""Bundles on disk: open, verify, read, write, copy, sign.

Only a `VerifiedBundle` can reach a tensor or a member (spec/format.md, "Reading"). Knows nothing
of frameworks. Nothing is imported here: a verb loads only what it needs.
"""
