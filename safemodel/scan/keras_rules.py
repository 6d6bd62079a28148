"""What Keras would do with a configuration: the facts of `legacy.keras_config` judged by tables.

Three questions of each object: is the name one of Keras's own, of any version (tables/keras.txt);
is it one of the few that do more than compute; do its arguments name files. Whether some version
of Keras refuses it, with safe_mode or by default, does not count: another version loads it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from safemodel.legacy.keras_config import KerasObject, walk
from safemodel.report.model import Severity
from safemodel.scan import keras_layers, tables
from safemodel.scan.evidence import bounded

if TYPE_CHECKING:
    from safemodel.legacy.json_text import JsonText
    from safemodel.scan.scope import Scope

PACKAGES: Final = ("keras", "tf_keras", "keras_hub", "keras_nlp", "keras_cv", "keras_core")
_BY_KERAS: Final = frozenset({*PACKAGES, "Custom", "keras_cv.models", "keras_nlp.models"})
_BY_KERAS_2: Final = frozenset({"log_softmax_v2"})  # what TensorFlow calls its log_softmax
# Module prefixes of TensorFlow's type specifications (`__typespec__`).
_SPECS: Final = ("tensorflow.python.framework.", "tensorflow.python.ops.ragged.")

# Where tf.keras 2 keeps what is exported as keras.layers and so on.
_ALIASES: Final = (
    ("tensorflow.keras", "keras"),
    ("tensorflow.python.keras", "keras"),
    ("tensorflow.compat.v1.keras", "keras"),
    ("keras.api._v2.keras", "keras"),
    ("keras.api._v1.keras", "keras"),
    ("keras.api", "keras"),
    ("keras_core", "keras"),
    ("tf_keras.api._v2.keras", "keras"),
    ("tf_keras", "keras"),
)
# Functions that read, write, fetch or run, for the words of the finding.
_HARMFUL: Final = {
    "get_file": "downloads a file, and unpacks it",
    "load_model": "loads another model",
    "load_weights": "loads weights from a path",
    "enable_unsafe_deserialization": "switches safe_mode off",
    "load_img": "reads a file",
    "save_img": "writes a file",
    "save_model": "writes a file",
    "save_weights": "writes a file",
    "model_from_json": "builds a model from text",
    "model_from_config": "builds a model",
    "deserialize_keras_object": "builds any object",
    "plot_model": "writes a file, and runs a program",
    "pip_install": "runs a program",
}
# What DenseFeatures of tf.keras 2 is made of (tensorflow.python.feature_column).
_COLUMNS: Final = frozenset(
    """BucketizedColumn CrossedColumn EmbeddingColumn HashedCategoricalColumn
    IdentityCategoricalColumn IndicatorColumn NumericColumn SequenceCategoricalColumn
    SequenceNumericColumn SharedEmbeddingColumn VocabularyFileCategoricalColumn
    VocabularyListCategoricalColumn WeightedCategoricalColumn""".split()  # noqa: SIM905
)
_PYTHON: Final = frozenset({"builtins", "__builtin__"})


def judge_config(
    text: JsonText, scope: Scope, *, offset: int | None = None, revived: bool = False
) -> None:
    """Report what a configuration would have Keras do; `offset` is where its text begins.

    `revived`: it is of a SavedModel, where a class that nobody knows is made from the graph.
    """
    for duplicate in text.duplicates[:20]:
        scope.find(
            "SM209",
            f"the key {duplicate.key!r} occurs twice in one object",
            offset=offset,
            evidence=(("key", duplicate.key),),
        )
    judge = Judge(scope, offset, revived=revived)
    for index, found in enumerate(walk(text.value)):
        if not index % 1024:
            scope.budget.check_time()
        judge.object(found)


class Judge:
    """Judges the objects of one configuration, and reports to its scope."""

    __slots__ = ("offset", "revived", "scope")

    def __init__(self, scope: Scope, offset: int | None, *, revived: bool = False) -> None:
        self.scope = scope
        self.offset = offset
        self.revived = revived

    def report(
        self, rule: str, message: str, found: KerasObject, severity: Severity | None = None
    ) -> None:
        """A finding about one object."""
        if rule == "SM204" and self.revived:
            severity = Severity.LOW
        evidence = [("object", found.path or "(top)"), ("name", found.name)]
        if found.module is not None:
            evidence.insert(1, ("module", found.module))
        if found.registered is not None:
            evidence.append(("registered", found.registered))
        self.scope.find(
            rule, message, offset=self.offset, severity=severity, evidence=tuple(evidence)
        )

    def object(self, found: KerasObject) -> None:
        """Judge one object by its kind."""
        if found.kind == "lambda":
            self.report("SM201", "a function in Python bytecode", found)
        elif found.kind == "malformed":
            self.report("SM209", "a class_name or module that is no text", found)
        elif found.kind == "typespec":
            self._typespec(found)
        elif found.kind == "function":
            self._function(found)
        elif found.kind == "class":
            self._class(found)

    # -- classes

    def _class(self, found: KerasObject) -> None:
        module = canonical(found.module)
        if module is None:
            name = _bare(found.name)
            if name not in tables.keras_anywhere("class") and name not in _COLUMNS:
                self._without_module(found)
                return
        elif found.name in tables.keras("function").get(module, ()):
            return
        elif found.name not in tables.keras("class").get(module, ()):
            self._unknown(found, module, "class")
            return
        self._registered(found)
        keras_layers.judge(found, self)

    def _without_module(self, found: KerasObject) -> None:
        """Looked up among Keras's own classes and what the caller registered."""
        if found.plain and _bare(found.name) in tables.keras_anywhere("function"):
            return
        keras_layers.judge(found, self, known=False)
        self.report("SM204", f"the class {found.name} is not one of Keras", found)

    def _registered(self, found: KerasObject) -> None:
        """A registered name is looked up first, among what the caller registered."""
        name = found.registered
        if not name or name == found.name:
            return
        package, _, last = name.rpartition(">")
        if last != found.name or package not in _BY_KERAS:
            self.report("SM204", f"looks up {bounded(name)} before the class itself", found)

    # -- functions

    def _function(self, found: KerasObject) -> None:
        module = canonical(found.module)
        name = found.name
        if module in (None, "builtins", "__builtin__"):
            if name in tables.keras_anywhere("function") or name in _BY_KERAS_2:
                return
            if found.module in _PYTHON and name in _python_names():
                self.report(
                    "SM202", f"the function {name} of Python itself", found, Severity.CRITICAL
                )
                return
            self.report("SM204", f"the function {name} is not one of Keras", found)
            return
        if name in tables.keras("function").get(module, ()):
            return
        if name in tables.keras("class").get(module, ()):
            return  # an alias such as keras.initializers.glorot_uniform
        self._unknown(found, module, "function")

    def _typespec(self, found: KerasObject) -> None:
        if found.module is None or found.module.startswith(_SPECS):
            return
        self._unknown(found, found.module, "type")

    # -- names outside of the tables

    def _unknown(self, found: KerasObject, module: str, what: str) -> None:
        full = f"{module}.{found.name}"
        root = module.partition(".")[0]
        danger = self.scope.names.danger(module, found.name)
        if root in PACKAGES or root == "tensorflow":
            harm = danger.reason if danger is not None else _HARMFUL.get(found.name)
            if harm is not None:
                message = f"names {full}, which {harm}"
                self.report("SM203", message, found, Severity.CRITICAL)
            else:
                self.report("SM203", f"names {full}, which is no part of a model", found)
        elif danger is not None:
            message = f"names {full}, which {danger.reason}"
            self.report("SM202", message, found, Severity.CRITICAL)
        elif root in sys.stdlib_module_names or self.scope.names.covers(module):
            self.report("SM202", f"names {full}, which is not of Keras", found)
        elif what == "function" or not found.registered:
            message = f"names {full}, which Keras up to 3.8 imports"
            self.report("SM202", message, found)
        else:
            self.report("SM204", f"the {what} {full} is not one of Keras", found)


def canonical(module: str | None) -> str | None:
    """The module by which the tables know it."""
    if module is None or module in tables.keras("class") or module in tables.keras("function"):
        return module
    for prefix, real in _ALIASES:
        if module == prefix or module.startswith(f"{prefix}."):
            return real + module[len(prefix) :]
    return module


def _bare(name: str) -> str:
    """The name without the package that it was registered with, if that is Keras."""
    package, _, last = name.rpartition(">")
    return last if package in _BY_KERAS else name


def _python_names() -> frozenset[str]:
    import builtins

    return frozenset(dir(builtins))
