"""Makes the test vectors. Imports nothing of safemodel: it is a second, small implementation.

writer     bytes of bundles: canonical JSON, weights, manifest, ZIP
signing    test keys, envelopes, statements
bundle     a bundle to make vectors of, with everything open to change
registry   where generators register: `accept`, `reject`
area_*     the vectors, one module an area
"""
