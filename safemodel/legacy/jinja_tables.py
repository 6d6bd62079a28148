"""What chat templates are made of: the closed tables of `legacy/jinja.py`, and what gadgets need.

Taken from the templates of the model families of 2023 to 2026, and from what the renderers offer
(transformers, vLLM, llama.cpp, minijinja): an immutable sandbox at best, none at worst.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What a template may call by name, besides its own macros. (transformers, vLLM, llama.cpp.)
FUNCTIONS: Final = _words(
    "caller cycler dict joiner loop namespace raise_exception range strftime_now"
)

# How the names of special tokens end: strings that the model's own configuration gives.
TOKENS: Final = ("_token", "_tokens")

# Those of them that are classes, so that a look at their attributes is a look at Python's classes.
CLASSES: Final = _words("cycler dict joiner namespace range")

# Globals whose attributes lead to modules, in Jinja and in web frameworks; chat templates have no
# use for them. `cycler` and `joiner` may be called, not looked at.
ENTRANCES: Final = _words(
    "app config current_app cycler environ get_flashed_messages joiner lipsum os request self "
    "session settings subprocess sys url_for"
)

# Methods of strings, lists, dicts and Jinja's own loop, cycler and namespace.
METHODS: Final = _words(
    """
    append capitalize casefold copy count cycle endswith expandtabs extend find get index insert
    isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace
    istitle isupper items join keys lower lstrip partition pop removeprefix removesuffix replace
    reset reverse rfind rindex rpartition rsplit rstrip setdefault sort split splitlines startswith
    strftime strip swapcase title translate update upper values next changed
    """
)
# Methods that make a string as wide as their first argument says.
WIDENERS: Final = _words("center ljust rjust zfill")

FILTERS: Final = _words(
    """
    abs batch capitalize center count d default dictsort e escape filesizeformat first float
    forceescape format from_json fromjson groupby indent int items join last length list lower map
    max min pprint random reject rejectattr replace reverse round safe select selectattr slice sort
    string striptags sum title tojson trim truncate unique upper urlencode urlize wordcount wordwrap
    xmlattr
    """
)
# Filters that give text whatever they are given: with `string` one gets "_" out of a generator.
STRINGIFIERS: Final = _words(
    "center e escape forceescape format indent join pprint replace string tojson urlencode xmlattr "
    "truncate wordwrap"
)
# Filters over items of a dict or list, that never take a string apart.
KEEPERS: Final = _words("dictsort groupby items rejectattr selectattr")

# Filters that look up an attribute by name: the position of that argument, and its keyword.
BY_ATTRIBUTE: Final[dict[str, int | None]] = {
    "groupby": 0,
    "map": None,
    "max": 1,
    "min": 1,
    "rejectattr": 0,
    "selectattr": 0,
    "sort": 2,
    "sum": 0,
    "unique": 1,
}
# Filters that run a filter or test by name: the position of the name.
BY_NAME: Final = {"map": 0, "reject": 0, "rejectattr": 1, "select": 0, "selectattr": 1}

TESTS: Final = _words(
    """
    != < <= == > >= boolean callable contains defined divisibleby endingwith eq equalto escaped even
    false filter float ge greaterthan gt in integer iterable le lessthan lower lt mapping ne none
    number odd sameas sequence startingwith string test true undefined upper
    """
)

# Names without underscores in front that lead from a value to code: frames, code objects, classes.
GADGETS: Final = _words(
    """
    ag_await ag_code ag_frame co_code cr_await cr_code cr_frame cr_origin f_back f_builtins f_code
    f_globals f_locals func_closure func_code func_defaults func_globals gi_code gi_frame
    gi_yieldfrom im_class im_func im_self mro tb_frame tb_next
    """
)
# Called, these do what they are named for; as names of data they are common.
GADGET_CALLS: Final = GADGETS | _words(
    """
    Popen breakpoint builtins check_call check_output compile connect environ eval exec execfile
    file get_data getattr getoutput getstatusoutput import_module load_module loads open popen query
    read readlines remove rmdir run spawn system unlink urlopen write write_text
    """
)

# Attributes that begin with two underscores, as they appear in strings of gadgets.
DUNDERS: Final = _words(
    """
    base bases builtins call class closure code defaults dict enter exit func getattr getattribute
    getitem globals import init init_subclass kwdefaults loader mro name new objclass
    qualname reduce reduce_ex self set_name setattr setstate spec subclasses subclasshook wrapped
    """
)

# Nodes of Jinja's syntax tree that do nothing by themselves: what is in them is looked at.
HARMLESS_NODES: Final = _words(
    """
    Add And AssignBlock Block Break CallBlock Compare Concat CondExpr Continue Dict Div ExprStmt
    FilterBlock FloorDiv List Macro Mod Neg Not Operand Or Pair Pos Scope Slice Sub Template
    TemplateData Tuple With
    """
)
