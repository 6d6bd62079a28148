"""What a scan found, and how it is shown: the model and its pure renderers.

Knows no file, no parser and no terminal: a renderer is a function from a `Report` to text.
"""
