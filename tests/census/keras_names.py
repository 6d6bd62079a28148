"""The census of Keras: what its packages export and define, read from their sources.

    python tests/census/keras_names.py PACKAGE_FOLDER... > safemodel/scan/tables/keras.txt

Each PACKAGE_FOLDER is an installed or unpacked `keras`, `tf_keras`, `keras_hub`, `keras_nlp` or
`keras_cv` of some version. Nothing is imported. Classes that models are made of (layers, losses,
optimizers, ...) are taken whatever their module, functions only where a model names them. What was
taken is reviewed by hand: the names that do more than compute are in `safemodel.scan.keras_rules`.
"""

from __future__ import annotations

import ast
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

# Classes that models are made of derive from one of these.
ROOTS = frozenset(
    """AbstractRNNCell BaseOptimizer BaseRandomLayer Constraint Container Cross DTypePolicy
    Feature GradientSplit Initializer InputSpec KerasSaveable Layer LearningRateSchedule Loss
    LossScale Metric Network Node Operation Optimizer OptimizerMap OptimizerV2 Policy Quantizer
    QuantizationConfig RandomGenerator Regularizer SeedGenerator Wrapper Model Sequential
    Functional""".split()  # noqa: SIM905
)
# Functions that a model may name: plain mathematics.
PLAIN = "activations constraints initializers losses metrics ops quantizers regularizers"
FUNCTIONS = tuple(f"keras.{name}." for name in PLAIN.split())
# They take functions, or make objects of configurations: calling them is not plain mathematics.
NOT_PLAIN = frozenset(
    """get serialize deserialize associative_scan clone_metric clone_metrics cond custom_gradient
    fori_loop is_built_in is_categorical_crossentropy jvp map populate_deserializable_objects scan
    switch vectorize vectorized_map while_loop""".split()  # noqa: SIM905
)


class Package:
    """What one package of one version says."""

    def __init__(self, folder: Path) -> None:
        self.exports: dict[str, set[str]] = defaultdict(set)  # definition -> exported names
        self.bases: dict[str, set[str]] = defaultdict(set)  # class name -> names of bases
        self.classes: list[tuple[str, str]] = []  # module, name
        self.functions: list[tuple[str, str]] = []
        for path in sorted(folder.rglob("*.py")):
            if not path.name.endswith("_test.py"):
                self._read(path, ".".join(path.relative_to(folder.parent).with_suffix("").parts))
        self.models = self._descendants()

    def _read(self, path: Path, module: str) -> None:
        module = module.removesuffix(".__init__")
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                self.classes.append((module, node.name))
                self.bases[node.name] |= {_last(base) for base in node.bases}
            elif isinstance(node, ast.FunctionDef):
                self.functions.append((module, node.name))
            else:
                continue
            for decorator in node.decorator_list:
                self.exports[f"{module}.{node.name}"] |= set(_exported(decorator))

    def _descendants(self) -> set[str]:
        found = set(ROOTS)
        size = 0
        while size != len(found):
            size = len(found)
            found |= {name for name, bases in self.bases.items() if bases & found}
        return found


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _exported(decorator: ast.expr) -> Iterator[str]:
    """The names of @keras_export("keras.layers.Dense") and the like."""
    if isinstance(decorator, ast.Call) and _last(decorator.func).endswith("_export"):
        for node in ast.walk(decorator):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def main() -> None:
    classes: dict[str, set[str]] = defaultdict(set)
    functions: dict[str, set[str]] = defaultdict(set)
    versions = []
    for argument in sys.argv[1:]:
        folder = Path(argument)
        versions.append(f"{folder.name} {_version(folder)}")
        package = Package(folder)
        for module, name in package.classes:
            if name in package.models:
                for full in {f"{module}.{name}", *package.exports[f"{module}.{name}"]}:
                    _add(classes, full)
        for module, name in package.functions:
            exports = package.exports[f"{module}.{name}"]
            if any(one.startswith(FUNCTIONS) for one in exports) and name not in NOT_PLAIN:
                plain = {one for one in exports if one.startswith(FUNCTIONS)}
                for full in {f"{module}.{name}", *plain}:
                    _add(functions, full)
            elif not exports and folder.name == "keras" and _old_function(module, name):
                _add(functions, f"{module}.{name}")
    _write(versions, classes, functions)


def _old_function(module: str, name: str) -> bool:
    """Keras before 2.4 exported by place."""
    parts = module.split(".")
    return len(parts) == 2 and f"{module}." in FUNCTIONS and name not in NOT_PLAIN


def _version(folder: Path) -> str:
    if os.environ.get("KERAS_VERSIONS"):
        return folder.parent.name.rpartition("-")[2]
    (found,) = folder.parent.glob(f"{folder.name}-*.dist-info")
    return found.name.split("-")[1]


def _add(table: dict[str, set[str]], full: str) -> None:
    module, _, name = full.rpartition(".")
    if not name.startswith("_"):
        table[module].add(name)


def _write(
    versions: list[str], classes: dict[str, set[str]], functions: dict[str, set[str]]
) -> None:
    print("# Written by tests/census/keras_names.py; what it means is in scan/tables/__init__.py.")
    for version in sorted(set(versions)):
        print(f"# {version}")
    for kind, table in (("class", classes), ("function", functions)):
        grouped: dict[str, list[str]] = defaultdict(list)
        for module in sorted(table):
            grouped[" ".join(sorted(table[module]))].append(module)
        for names, modules in grouped.items():
            print(f"[{kind}] {' '.join(modules)}")
            print(names)


if __name__ == "__main__":
    main()
