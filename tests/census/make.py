"""Makes real models with the libraries of the interpreter that runs it, and pickles them.

    python make.py FOLDER [GROUP ...]      writes pickles, and index.json with what made them
    python make.py --kinds FOLDER          says of each name in names.json what it is, to kinds.json

Runs on Python 2.7 and 3.6 to 3.13 (census.py starts it in virtual environments with old libraries):
no annotations and no newer syntax here and in libraries/.
"""

from __future__ import absolute_import, print_function

import importlib
import json
import os
import pickle
import platform
import sys
import time
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
GROUPS = (
    "stdlib",
    "numerics",
    "frames",
    "learning",
    "learning_more",
    "boosting",
    "networks",
    "statistics",
    "hub",
)
LIBRARIES = [
    "accelerate",
    "catboost",
    "category_encoders",
    "cloudpickle",
    "dill",
    "imblearn",
    "joblib",
    "keras",
    "lightgbm",
    "networkx",
    "numpy",
    "pandas",
    "PIL",
    "polars",
    "pyarrow",
    "pytorch_lightning",
    "lightning",
    "scipy",
    "sklearn",
    "statsmodels",
    "tensorflow",
    "torch",
    "transformers",
    "xgboost",
    "hmmlearn",
    "lifelines",
    "gensim",
    "hdbscan",
    "umap",
    "ngboost",
    "mlxtend",
    "feature_engine",
    "optuna",
    "pmdarima",
    "shap",
    "skorch",
    "sktime",
    "surprise",
    "implicit",
    "spacy",
    "nltk",
    "torchmetrics",
    "tokenizers",
    "sentence_transformers",
    "sklearn_crfsuite",
]


class Writer(object):
    """Writes every object in every way that people use, and keeps the index."""

    def __init__(self, folder):
        self.folder = folder
        self.files = []
        self.skipped = []

    def write(self, group, name, thing):
        ways = [("pickle%d" % n, n) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
        failures = []
        for way, protocol in ways:
            try:
                data = pickle.dumps(thing, protocol)
            except Exception as error:  # some things have no pickle in some protocol
                failures.append("%s: %s: %s" % (way, type(error).__name__, error))
                continue
            self.add(group, name, way, data)
        if len(failures) == len(ways):
            self.skipped.append("%s %s: %s" % (group, name, failures[-1][:200]))
            return
        joblib = sys.modules.get("joblib") or sys.modules.get("sklearn.externals.joblib")
        if joblib is not None and group != "stdlib":
            self.add_by(group, name, "joblib", lambda path: joblib.dump(thing, path))

    def add_by(self, group, name, way, save):
        path = os.path.join(self.folder, "temporary")
        try:
            save(path)
            with open(path, "rb") as file:
                self.add(group, name, way, file.read())
        except Exception as error:
            self.skipped.append("%s %s: %s: %r" % (group, name, way, error))
        for file in os.listdir(self.folder):
            if file.startswith("temporary"):
                os.unlink(os.path.join(self.folder, file))

    def add(self, group, name, way, data):
        file = "%06d.bin" % len(self.files)
        with open(os.path.join(self.folder, file), "wb") as out:
            out.write(data)
        self.files.append({"file": file, "group": group, "case": name, "way": way})


def versions():
    """Versions of the libraries that were imported."""
    found = {}
    for name in LIBRARIES:
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "__version__"):
            found[name] = str(module.__version__)
    return found


def make(folder, groups):
    sys.path.insert(0, HERE)
    writer = Writer(folder)
    warnings.simplefilter("ignore")
    for group in groups:
        started = time.time()
        try:
            module = importlib.import_module("libraries." + group)
        except ImportError as error:
            writer.skipped.append("%s: %s" % (group, error))
            continue
        for name, thunk in module.cases():
            if os.environ.get("CENSUS_DEBUG"):
                print(group, name, file=sys.stderr)
            try:
                made = thunk()
            except Exception as error:
                writer.skipped.append(
                    "%s %s: %s: %s" % (group, name, type(error).__name__, str(error)[:200])
                )
                continue
            if isinstance(made, dict) and "__files__" in made:
                for way, data in made["__files__"].items():
                    writer.add(group, name, way, data)
            else:
                writer.write(group, name, made)
        print("%s: %.1f s" % (group, time.time() - started), file=sys.stderr)
    index = {
        "python": platform.python_version(),
        "libraries": versions(),
        "files": writer.files,
        "skipped": writer.skipped,
    }
    with open(os.path.join(folder, "index.json"), "w") as out:
        out.write("%s" % json.dumps(index))


def kind(module, name):
    """What a global is: class, function, ..., and where its pickling methods come from."""
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        return {"kind": "missing", "error": type(error).__name__}
    if isinstance(found, type):
        about = {"kind": "class"}
        for method in ("__setstate__", "__new__", "__init__", "__reduce__", "__reduce_ex__"):
            owner = next((c for c in found.__mro__ if method in vars(c)), object)
            if owner is not object:
                about[method] = "%s.%s" % (owner.__module__, owner.__name__)
        return about
    if callable(found):
        return {"kind": "callable", "type": type(found).__name__}
    return {"kind": "constant", "type": type(found).__name__}


def kinds(folder):
    sys.path.insert(0, HERE)
    warnings.simplefilter("ignore")
    with open(os.path.join(folder, "names.json")) as file:
        names = json.load(file)
    found = [[module, name, kind(module, name)] for module, name in names]
    with open(os.path.join(folder, "kinds.json"), "w") as out:
        out.write("%s" % json.dumps(found))


if __name__ == "__main__":
    sys.path = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]
    if sys.argv[1] == "--kinds":
        kinds(sys.argv[2])
    else:
        make(sys.argv[1], sys.argv[2:] or GROUPS)
