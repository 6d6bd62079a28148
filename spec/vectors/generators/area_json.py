"""Canonical JSON (format.md, "Canonical JSON"): every way to write a value that is not the one."""

from __future__ import annotations

from .bundle import Bundle
from .registry import accept, reject

START = b'"framework":"numpy"'


def architecture(value: bytes) -> Bundle:
    """A bundle whose manifest has these bytes where the architecture belongs."""
    return Bundle(fields={"architecture": 0}).replace(
        b'"architecture":0', b'"architecture":' + value
    )


# name, comment, text in the manifest, what stands there instead
_EDITS: list[tuple[str, str, bytes, bytes]] = [
    ("duplicate-key", "an object has a key twice", START, START + b"," + START),
    (
        "duplicate-key-escaped",
        "a key twice, once escaped",
        START,
        START + rb',"fr\u0061mework":"x"',
    ),
    ("leading-space", "a space before the document", b'{"adapter"', b' {"adapter"'),
    ("space-after-colon", "a space between tokens", START, b'"framework": "numpy"'),
    ("newline-between", "a line feed between tokens", START, b"\n" + START),
    ("byte-order-mark", "a UTF-8 byte order mark", b'{"adapter"', b'\xef\xbb\xbf{"adapter"'),
    ("key-order", "keys are not sorted", b'"safemodel":1}', b'"x-b":1,"safemodel":1}'),
    ("trailing-comma", "a comma after the last entry", b'"safemodel":1}', b'"safemodel":1,}'),
    ("comment", "a comment", b'"safemodel":1}', b'"safemodel":1/**/}'),
    ("truncated", "the document ends early", b'"safemodel":1}', b'"safemodel":1'),
    ("two-documents", "something follows the document", b'"safemodel":1}', b'"safemodel":1}{}'),
    ("trailing-newline", "a line feed follows", b'"safemodel":1}', b'"safemodel":1}\n'),
    ("trailing-nul", "a zero byte follows", b'"safemodel":1}', b'"safemodel":1}\0'),
    ("escaped-letter", "a letter is escaped", START, rb'"framework":"nump\u0079"'),
    ("unquoted-key", "a key without quotes", START, b'framework:"numpy"'),
    ("single-quotes", "single quotes", START, b"'framework':'numpy'"),
]

# name, comment, bytes of a value
_VALUES: list[tuple[str, str, bytes]] = [
    ("float", "a float", b"0.5"),
    ("float-integral", "an integer written as a float", b"1.0"),
    ("exponent", "an integer with an exponent", b"1e2"),
    ("minus-zero", "minus zero, which parsers read as 0 or as a float", b"-0"),
    ("leading-zero", "an integer with a leading zero", b"01"),
    ("plus", "an integer with a plus sign", b"+1"),
    ("hexadecimal", "a hexadecimal integer", b"0x1"),
    ("nan", "NaN, which some parsers accept", b"NaN"),
    ("infinity", "Infinity, which some parsers accept", b"-Infinity"),
    ("integer-large", "2^53: not every parser has it exactly", b"9007199254740992"),
    ("integer-small", "-2^53", b"-9007199254740992"),
    ("integer-huge", "an integer of 5,000 digits: quadratic time in some parsers", b"9" * 5000),
    ("escaped-slash", "an escaped slash", rb'"\/"'),
    ("escape-upper", "a control character in upper-case hexadecimal", rb'"\u001F"'),
    ("escape-long", "a line feed that is not written \\n", rb'"\u000a"'),
    ("escape-non-ascii", "an escaped character that needs no escape", rb'"\u00e9"'),
    ("escape-surrogates", "a surrogate pair for what UTF-8 says itself", rb'"\ud83d\ude00"'),
    ("escape-delete", "DEL escaped", rb'"\u007f"'),
    ("escape-unknown", "an escape that JSON does not have", rb'"\x41"'),
    ("lone-surrogate", "a lone surrogate", rb'"\ud800"'),
    ("lone-surrogate-low", "a lone low surrogate", rb'"\udc00x"'),
    ("raw-control", "a raw control character in a string", b'"\x01"'),
    ("raw-newline", "a raw line feed in a string", b'"\n"'),
    ("overlong", "an overlong UTF-8 sequence", b'"\xc0\xaf"'),
    ("utf8-surrogate", "a surrogate in UTF-8", b'"\xed\xa0\x80"'),
    ("utf8-beyond", "a code point beyond U+10FFFF", b'"\xf4\x90\x80\x80"'),
    ("utf8-cut", "a UTF-8 sequence that is cut off", b'"\xe2\x82"'),
    ("latin1", "Latin-1 instead of UTF-8", b'"\xe9"'),
    ("key-non-ascii", "a key that is not ASCII", '{"\u00e9":1}'.encode()),
    ("key-control", "a key with a control character", rb'{"\n":1}'),
    ("key-delete", "a key with DEL", b'{"\x7f":1}'),
    ("literal-case", "a literal in upper case", b"True"),
    ("brackets", "brackets that do not match", b"[}"),
    ("bracket-in-string", "a bracket that only a string closes", b'["]"'),
]


def _register() -> None:
    for name, comment, old, new in _EDITS:
        reject(f"json-{name}", "JsonError", comment)(
            lambda old=old, new=new: Bundle().replace(old, new)
        )
    for name, comment, value in _VALUES:
        reject(f"json-{name}", "JsonError", comment)(lambda value=value: architecture(value))


_register()


@reject("json-depth-65", "LimitError", "65 containers in each other, the document included")
def _() -> Bundle:
    return architecture(b"[" * 64 + b"]" * 64)


@reject("json-depth-bomb", "LimitError", "40,000 brackets: recursion must not exhaust the stack")
def _() -> Bundle:
    return architecture(b"[" * 20_000 + b"]" * 20_000)


@reject("json-key-cased", "ManifestError", "keys are compared by case")
def _() -> Bundle:
    return Bundle().replace(b'"safemodel":1}', b'"x-safemodel":1}')


@reject("json-not-an-object", "ManifestError", "canonical JSON, but a list")
def _() -> Bundle:
    return Bundle(manifest=b"[]")


@reject("json-only-string", "ManifestError", "canonical JSON, but a string")
def _() -> Bundle:
    return Bundle(manifest=b'"safemodel"')


@reject("json-empty", "JsonError", "a manifest of one space")
def _() -> Bundle:
    return Bundle(manifest=b" ")


@accept("json-depth-64", "64 containers in each other, the document included")
def _() -> Bundle:
    return architecture(b"[" * 63 + b"]" * 63)


@accept("json-escapes", "every escape, and characters that must not be escaped")
def _() -> Bundle:
    escaped = (
        rb'"\"\\\b\f\n\r\t\u0000\u0001\u001f/' + "\x7f\u0080\u2028\u2029\ufeff\U0001f600".encode()
    )
    return architecture(escaped + b'"')


@accept("json-numbers", "the largest integers, and 0")
def _() -> Bundle:
    return architecture(b"[9007199254740991,-9007199254740991,0]")


@accept("json-keys", "keys in the order of their bytes; the empty key; quotes in keys")
def _() -> Bundle:
    return architecture(rb'{"":0," ":0,"\"":0,"A":0,"\\":0,"a":0,"aa":0,"b":0,"~":0}')


@accept("json-literals", "null, true and false, empty containers and strings")
def _() -> Bundle:
    return architecture(b'[null,true,false,[],{},""]')
