"""Other people's bytes to facts: pure parsers of the files that models travel in today.

Each is a function from a buffer to frozen facts. No file is opened here, nothing is imported that
the data names, and any bytes raise `LegacyError` or give facts. Judging them is `safemodel.scan`.
"""
