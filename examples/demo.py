"""What `make demo` shows: save, load, sign for someone else, a changed byte, and a way over.

    python examples/demo.py [FOLDER]

Everything it makes is in FOLDER (default: build/demo), which it empties first. Alice and Bob have
a configuration folder each, as if they sat at two computers.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import safemodel as sm

try:
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
except ImportError:
    raise SystemExit("the demo needs scikit-learn: pip install 'safemodel[sklearn]'") from None

_MARK = ".safemodel-demo"
_STRANGER = b"cos\nsystem\n(S'echo this would have run'\ntR."


def title(text: str) -> None:
    print(f"\n# {text}")


def code(text: str) -> None:
    print(f">>> {text}")


def user(name: str) -> None:
    """From here on we are this user: own key and trust store are theirs."""
    os.environ["SAFEMODEL_CONFIG"] = str(Path(f"{name}-config").absolute())


def command(*arguments: str, expected: int = 0) -> None:
    """Run a command as one would in a shell, and check its exit code."""
    print("$ safemodel", shlex.join(arguments), flush=True)
    done = subprocess.run([sys.executable, "-m", "safemodel", *arguments], check=False)
    if done.returncode != expected:
        raise SystemExit(f"demo failed: exit code {done.returncode}, and not {expected}")
    if expected:
        print(f"[exit code {expected}]")


def check(condition: object, what: str) -> None:
    if not condition:
        raise SystemExit(f"demo failed: {what}")
    print(f"    {what}: yes")


def empty(folder: Path) -> None:
    """Empty the folder, if it is one that this demo has made."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise SystemExit(f"{folder} is not empty, and not from this demo: name another folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo").absolute()
    empty(folder)
    os.environ["PYTHONPATH"] = str(Path(sm.__file__).parents[1])  # also where it is not installed
    os.chdir(folder)

    title("Alice trains a model and saves it. The first save makes her key.")
    user("alice")
    features, classes = load_iris(return_X_y=True)
    code("model = RandomForestClassifier(random_state=0).fit(features, classes)")
    model = RandomForestClassifier(random_state=0).fit(features, classes)
    code('sm.save(model, "iris.safemodel", metadata={"name": "alice/iris", "version": "1.0"})')
    sm.save(model, "iris.safemodel", metadata={"name": "alice/iris", "version": "1.0"})

    title("She loads it without any argument: it is signed with her own key.")
    code('again = sm.load("iris.safemodel")')
    again = sm.load("iris.safemodel")
    same = (again.predict_proba(features) == model.predict_proba(features)).all()
    check(same, "the same predictions, to the last bit")

    title("For others she signs with a key of its own, and gives them the public half.")
    command("keygen", "-o", "alice.key")
    command("sign", "iris.safemodel", "--signer", "alice.key", "--note", "for Bob")

    title("Bob has never heard of Alice.")
    user("bob")
    command("verify", "iris.safemodel", expected=1)

    title(
        "He gets alice.pub from her, compares the key id with her, and says which model he wants."
    )
    asked = ("--trust", "alice.pub", "--name", "alice/iris")
    command("verify", "iris.safemodel", *asked)
    code('theirs = sm.load("iris.safemodel", trust=sm.TrustedKeys("alice.pub"), name="alice/iris")')
    theirs = sm.load("iris.safemodel", trust=sm.TrustedKeys("alice.pub"), name="alice/iris")
    check((theirs.predict(features) == model.predict(features)).all(), "it predicts the same")

    title("A validly signed model under the name of another one is refused.")
    command("verify", "iris.safemodel", "--trust", "alice.pub", "--name", "alice/fraud", expected=1)

    title("One flipped bit in the middle of a copy.")
    data = bytearray(Path("iris.safemodel").read_bytes())
    data[len(data) // 2] ^= 1
    Path("tampered.safemodel").write_bytes(data)
    command("verify", "tampered.safemodel", *asked, expected=1)
    code('sm.load("tampered.safemodel", trust=sm.TrustedKeys("alice.pub"))')
    try:
        sm.load("tampered.safemodel", trust=sm.TrustedKeys("alice.pub"))
    except sm.errors.SafemodelError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise SystemExit("demo failed: a changed model was loaded")

    title(
        "Bob's old models are joblib files. What would they do? Then one goes over, not unpickled."
    )
    code('joblib.dump(model, "old.joblib")')
    joblib.dump(model, "old.joblib")
    Path("stranger.pkl").write_bytes(_STRANGER)
    command("scan", "old.joblib", "stranger.pkl", expected=1)
    command("convert", "old.joblib", "old.safemodel", "--name", "bob/old")
    code('sm.load("old.safemodel").predict(features)')
    check((sm.load("old.safemodel").predict(features) == model.predict(features)).all(), "the same")
    command("convert", "stranger.pkl", "stranger.safemodel", expected=1)

    title("What is in it, and what of that is verified.")
    command("inspect", "iris.safemodel", "--trust", "alice.pub")

    title("Unpacked it is a plain folder; other tools open its weights.safetensors.")
    command("unpack", "iris.safemodel", "-o", "iris")

    print(f"\nThe files are in {folder}:")
    for path in sorted(folder.iterdir()):
        if path.name != _MARK:
            print(f"    {path.name}{'/' if path.is_dir() else ''}")


if __name__ == "__main__":
    main()
