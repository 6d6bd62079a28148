"""Writes `releases/`: models of the installed scikit-learn as joblib files, and what they predict.

    python tests/convert/make_releases.py

To be run with older releases; needs scikit-learn and nothing of this project.
"""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import sklearn
from sklearn import ensemble, linear_model, neighbors, pipeline, preprocessing, svm
from sklearn.datasets import load_iris

FOLDER = Path(__file__).with_name("releases")
MODELS = {
    "pipeline": lambda: pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression()
    ),
    "forest": lambda: ensemble.RandomForestClassifier(n_estimators=3, max_depth=3, random_state=0),
    "boosting": lambda: ensemble.GradientBoostingClassifier(
        n_estimators=2, max_depth=2, random_state=0
    ),
    "histogram": lambda: ensemble.HistGradientBoostingClassifier(max_iter=2, random_state=0),
    "svc": lambda: svm.SVC(),
    "neighbors": lambda: neighbors.KNeighborsClassifier(3, algorithm="kd_tree"),
}


def main() -> None:
    features, classes = load_iris(return_X_y=True)
    for name, make in MODELS.items():
        model = make().fit(features[::3], classes[::3])
        path = FOLDER / f"{name}-{sklearn.__version__}"
        joblib.dump(model, path.with_suffix(path.suffix + ".joblib"), compress=3)
        method = "predict_proba" if hasattr(model, "predict_proba") else "decision_function"
        rows = [[number.hex() for number in row] for row in getattr(model, method)(features[:9])]
        path.with_suffix(path.suffix + ".json").write_text(json.dumps({method: rows}) + "\n")


if __name__ == "__main__":
    main()
