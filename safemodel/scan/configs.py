"""What libraries would do with a configuration in JSON: a table of the keys that do more than tell.

Which file it is does not count, for a file can be copied and renamed: the keys do. Each function
of `_KEYS` judges the value of one key, wherever in the tree it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from safemodel.report.model import Severity
from safemodel.scan.evidence import bounded
from safemodel.scan.imports import judge_import
from safemodel.scan.outside import leads_outside
from safemodel.scan.templates import judge_template

if TYPE_CHECKING:
    from safemodel.legacy.json_text import JsonText, JsonValue
    from safemodel.scan.scope import Scope

Judge = Callable[["JsonValue", "Scope"], None]

MAX_NAMED: Final = 20  # bad names of one map that are told one by one

# Packages whose classes Diffusers has in pipelines; the names of its own pipeline modules.
_PIPELINES: Final = """
    alt_diffusion audioldm audioldm2 blip_diffusion deepfloyd_if diffusers flux hunyuan_video
    invisible_watermark k_diffusion kandinsky kandinsky2_2 latent_diffusion ltx mochi musicldm
    onnx_stable_diffusion onnxruntime optimum paddlenlp paint_by_example peft pixart_alpha
    ppdiffusers sana sentence_transformers shap_e stable_audio stable_cascade stable_diffusion
    stable_diffusion_3 stable_diffusion_safe stable_diffusion_xl t2i_adapter timm torchvision
    transformers unidiffuser versatile_diffusion visualcloze_pipeline wan wuerstchen
"""
_OWN: Final = frozenset(_PIPELINES.split())
_COMPONENTS: Final = (
    "feature_extractor",
    "image_",
    "prior",
    "safety_checker",
    "scheduler",
    "text_encoder",
    "tokenizer",
    "transformer",
    "unet",
    "vae",
    "vqvae",
)


def judge_text(text: JsonText, scope: Scope) -> None:
    """Report what a configuration would have a library do, in all values that it has."""
    judge_tree(text.value, scope)
    for duplicate in text.duplicates:
        if duplicate.key in _KEYS:
            scope.find(
                "SM505" if duplicate.key == "chat_template" else "SM513",
                f"the key {duplicate.key} occurs twice in one object",
                evidence=[("key", duplicate.key)],
            )
            judge_tree({duplicate.key: duplicate.value}, scope)
        elif isinstance(duplicate.value, dict | list):
            judge_tree(duplicate.value, scope)


def judge_tree(tree: JsonValue, scope: Scope) -> None:
    """The same for a tree that was parsed before."""
    if isinstance(tree, list):
        _modules(tree, scope)
    elif isinstance(tree, dict) and "_class_name" in tree:
        _model_index(tree, scope)
    for members in _objects(tree, scope):
        expressions = "_target_" in members or "_meta_" in members or "_requires_" in members
        for key, value in members.items():
            judge = _KEYS.get(key)
            if judge is not None:
                judge(value, scope)
        if expressions and _expression(members):
            scope.find(
                "SM518",
                "has Python expressions",
                evidence=[("expression", _expression(members))],
            )


def _objects(tree: JsonValue, scope: Scope) -> Iterator[dict[str, JsonValue]]:
    """Every object in a tree."""
    stack = [tree]
    count = 0
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            count += 1
            if not count % 4096:
                scope.budget.check_time()
            yield value
            stack.extend(item for item in value.values() if isinstance(item, dict | list))
        elif isinstance(value, list):
            stack.extend(item for item in value if isinstance(item, dict | list))


def _expression(members: dict[str, JsonValue]) -> str:
    for value in members.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str) and item.startswith("$"):
                return item
    return ""


def _strings(value: JsonValue) -> Iterator[str]:
    """The strings in a value, at any depth."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            stack.extend(reversed(one.values()))
        elif isinstance(one, list):
            stack.extend(reversed(one))


def _remote(what: str) -> Judge:
    """The judge of a key by which a library runs a module from the repository."""

    def judge(value: JsonValue, scope: Scope) -> None:
        for name in list(dict.fromkeys(_strings(value)))[:MAX_NAMED]:
            repository, _, reference = name.rpartition("--")
            module, _, attribute = reference.rpartition(".")
            if not module:
                continue
            file = f"{module.replace('.', '/')}.py"
            source = f"of the repository {repository}" if repository else "beside it"
            scope.find(
                "SM510",
                f"{what} runs {attribute} of {file} {source}",
                evidence=[("key", what), ("file", file), ("repository", repository)],
            )

    return judge


def _custom_generate(value: JsonValue, scope: Scope) -> None:
    for name in _strings(value):
        scope.find(
            "SM510",
            f"custom_generate runs generate.py of {bounded(name)}",
            evidence=[("key", "custom_generate"), ("repository", name)],
        )


def _attention(value: JsonValue, scope: Scope) -> None:
    """Transformers loads the name of a repository as a compiled kernel."""
    for name in _strings(value):
        if "/" in name:
            scope.find(
                "SM510",
                f"attention is computed by a compiled kernel of {bounded(name)}",
                evidence=[("key", "attn_implementation"), ("repository", name)],
            )


def _trust(value: JsonValue, scope: Scope) -> None:
    if value is True:
        scope.find(
            "SM510",
            "asks for trust_remote_code by itself",
            severity=Severity.MEDIUM,
            evidence=[("key", "trust_remote_code")],
        )


def _weight_map(value: JsonValue, scope: Scope) -> None:
    if isinstance(value, dict):
        _inside("weight_map", _strings(list(value.values())), scope)


def _manifest(value: JsonValue, scope: Scope) -> None:
    """Of TensorFlow.js: groups of files of weights."""
    for group in value if isinstance(value, list) else []:
        if isinstance(group, dict):
            _inside("weightsManifest", _strings(group.get("paths")), scope)


def _inside(key: str, names: Iterator[str], scope: Scope) -> None:
    found = 0
    for name in dict.fromkeys(names):
        why = leads_outside(name)
        if why and found < MAX_NAMED:
            found += 1
            scope.find(
                "SM512", f"{key} names {bounded(name)}, which {why}", evidence=[("file", name)]
            )


def _base_model(value: JsonValue, scope: Scope) -> None:
    """Of an adapter: a repository, or a path on the machine where it was trained."""
    if isinstance(value, str) and "://" in value:
        scope.find(
            "SM512",
            f"the base model is at {bounded(value)}",
            severity=Severity.MEDIUM,
            evidence=[("base_model_name_or_path", value)],
        )


def _template(value: JsonValue, scope: Scope) -> None:
    """A template; or several, as a list of objects or an object of strings."""
    names: set[str] = set()
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            judge_template(item, scope, name="chat_template")
        elif isinstance(item, dict):
            name = item.get("name")
            if isinstance(name, str) and isinstance(item.get("template"), str):
                if name in names:
                    scope.find("SM505", f"two chat templates are called {bounded(name, 100)}")
                names.add(name)
            for key, text in item.items():
                if isinstance(text, str) and key != "name":
                    label = name if isinstance(name, str) else key
                    judge_template(text, scope, name=f"chat_template {bounded(label, 100)}")


def _auto_mapping(value: JsonValue, scope: Scope) -> None:
    """Of PEFT: the library that is imported to get the class of the base model from."""
    library = value.get("parent_library") if isinstance(value, dict) else None
    if isinstance(library, str) and library.split(".")[0] not in (
        "__main__",
        "transformers_modules",
    ):
        judge_import(library, "", "parent_library", scope, unknown=Severity.MEDIUM)


def _dotted(key: str, unknown: Severity = Severity.HIGH) -> Judge:
    """The judge of a key whose value is imported if it has a dot, and then called."""

    def judge(value: JsonValue, scope: Scope) -> None:
        if isinstance(value, str) and "." in value:
            module, _, name = value.rpartition(".")
            judge_import(module, name, key, scope, unknown=unknown)

    return judge


def _modules(tree: list[JsonValue], scope: Scope) -> None:
    """modules.json of Sentence-Transformers: `[{"idx": 0, "name": …, "path": …, "type": …}]`."""
    for item in tree:
        if not isinstance(item, dict) or not {"idx", "type"} <= item.keys():
            continue
        kind, path = item["type"], item.get("path")
        if isinstance(kind, str) and "." in kind:
            module, _, name = kind.rpartition(".")
            judge_import(module, name, "type", scope)
        if isinstance(path, str):
            _inside("path", iter((path,)), scope)


def _model_index(tree: dict[str, JsonValue], scope: Scope) -> None:
    """model_index.json of Diffusers: `{"_class_name": …, "unet": ["diffusers", "UNet"], …}`.

    Configurations of single models are alike, and have lists of two names that are none of that.
    """
    own = tree["_class_name"]
    if isinstance(own, list):
        _remote("_class_name")([".".join(_strings(own))], scope)
    pipeline = not isinstance(own, str) or "Pipeline" in own
    for key, value in tree.items():
        names = [*_strings(value)] if isinstance(value, list) and len(value) == 2 else []
        if len(names) != 2 or names[0] in _OWN or key.startswith("_"):
            continue
        standard = names[0].partition(".")[0] in sys.stdlib_module_names
        if pipeline or standard or key.startswith(_COMPONENTS):
            judge_import(names[0], names[1], key, scope)


_KEYS: Final[dict[str, Judge]] = {
    "_attn_implementation": _attention,
    "_target_": _dotted("_target_", Severity.MEDIUM),  # of Hydra: often of one's own package
    "activation_fn": _dotted("activation_fn"),
    "activation_function": _dotted("activation_function"),
    "attn_implementation": _attention,
    "auto_map": _remote("auto_map"),
    "auto_mapping": _auto_mapping,
    "base_model_name_or_path": _base_model,
    "chat_template": _template,
    "custom_generate": _custom_generate,
    "custom_pipelines": _remote("custom_pipelines"),
    "sbert_ce_default_activation_function": _dotted("sbert_ce_default_activation_function"),
    "trust_remote_code": _trust,
    "weight_map": _weight_map,
    "weightsManifest": _manifest,
}  # fmt: skip

# What to look for in the bytes before they are parsed. (Letters may be written as `\\u0061`.)
MARKS: Final = (
    *(f'"{key}"'.encode() for key in _KEYS),
    b'"_class_name"',
    b'"_meta_"',
    b'"_requires_"',
    b'"class_name"',
    b'"irVersion"',
)
# Objects that are configurations, though nothing in them needs to be judged.
CONFIGURATIONS: Final = frozenset(
    (
        "architectures",
        "diffusers_version",
        "model_type",
        "tokenizer_class",
        "transformers_version",
    )
)
