"""Train a scikit-learn pipeline, save it, load it in another process, and go on training.

python examples/sklearn_iris.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import safemodel as sm


def main(folder: Path) -> None:
    features, classes = load_iris(return_X_y=True)
    train, test, train_classes, test_classes = train_test_split(
        features, classes, random_state=0, stratify=classes
    )
    forest = RandomForestClassifier(n_estimators=50, warm_start=True, random_state=0)
    model = make_pipeline(StandardScaler(), forest).fit(train, train_classes)
    accuracy = model.score(test, test_classes)

    # The metadata is signed with the model. Metrics are kept as decimal strings.
    path = folder / "iris.safemodel"
    sm.save(
        model,
        path,
        metadata={
            "name": "examples/iris",
            "version": "1.0",
            "license": "Apache-2.0",
            "task": "tabular-classification",
            "metrics": {"accuracy": accuracy},
            "datasets": ["iris"],
        },
    )

    # Signed with your own key, so nothing needs to be said. Asking for a name makes sure that it
    # is this model and not another one of yours.
    loaded = sm.load(path, name="examples/iris")
    same = np.array_equal(loaded.predict_proba(test), model.predict_proba(test))
    print(f"saved {path}: accuracy {accuracy:.3f}, predicts the same after loading: {same}")

    # Training goes on where it stopped: warm_start keeps the 50 trees and adds 50.
    for pipeline in (model, loaded):
        pipeline[-1].set_params(n_estimators=100)
        pipeline.fit(train, train_classes)
    same = np.array_equal(loaded.predict_proba(test), model.predict_proba(test))
    print(f"50 more trees, in the original and in the loaded model: the same: {same}")

    # One tensor alone: only its chunks are read and verified.
    with sm.open(path) as bundle:
        name, info = next(iter(bundle.tensors.items()))
        print(f"{len(bundle.tensors)} tensors; {name}: {info.dtype} {list(info.shape)}")
        print(f"bundle digest {bundle.digest}, signed by {bundle.signers[0].label}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
