"""SM5xx: templates, configurations, and folders as Hugging Face lays them out; skops."""

from __future__ import annotations

from typing import Final

from safemodel.report.model import Rule, Severity

_TEMPLATE: Final = (
    "Do not render it. Take the template from the model's original publisher, and compare."
)

RULES: Final = (
    Rule(
        "SM501",
        "template-gadget",
        Severity.HIGH,
        "A template that leads to Python's classes, frames or modules",
        "A chat template looks up an attribute that begins with an underscore or that belongs to "
        "frames, code and classes; or an attribute by a name that it puts together; or calls what "
        "such a name gives.",
        "Whoever renders the template without a sandbox runs the code that it names: llama-cpp-"
        "python did before 0.2.72 (CVE-2024-34359). Jinja's sandbox had holes of this kind, too: "
        "CVE-2024-56201, CVE-2024-56326, CVE-2025-27516.",
        "`{{ cycler.__init__.__globals__.os.popen('id').read() }}`, or `x['__cl' ~ 'ass__']`.",
        _TEMPLATE,
    ),
    Rule(
        "SM502",
        "template-unknown",
        Severity.MEDIUM,
        "A template that uses something no chat template is known to need",
        "A function, method, filter, test or statement that is not in the table of what renderers "
        "of chat templates offer.",
        "In most renderers it fails; in one that offers it, what it does is unknown here.",
        "`{{ fetch('http://example.org') }}`",
        "Look at the line. If it is harmless, say so in a baseline, and tell us: the table should "
        "know it.",
    ),
    Rule(
        "SM503",
        "template-expensive",
        Severity.MEDIUM,
        "A template that needs time or memory out of all proportion",
        "Loops over huge ranges, text that is repeated or padded millions of times, powers.",
        "One request to render it takes a server's processor or memory.",
        "`{% for i in range(10 ** 9) %}`",
        _TEMPLATE,
    ),
    Rule(
        "SM504",
        "template-import",
        Severity.HIGH,
        "A template that loads another template",
        "One of the statements include, import, from, extends.",
        "Chat templates stand alone. A renderer that can load others reads files that the "
        "template names, and runs what they say.",
        "`{% include '/etc/passwd' %}`",
        _TEMPLATE,
    ),
    Rule(
        "SM505",
        "hidden-template",
        Severity.MEDIUM,
        "A chat template that another one hides",
        "A file or a JSON object has a chat template twice.",
        "Which of them is rendered depends on the reader: one can be shown, and the other be used.",
        '`{"chat_template": "…", "chat_template": "…"}`',
        _TEMPLATE,
    ),
    Rule(
        "SM510",
        "remote-code",
        Severity.HIGH,
        "A configuration that has a loader run code from the repository",
        "`auto_map`, `custom_pipelines`, `custom_generate`, or a class of a module that travels "
        "with the model.",
        "With `trust_remote_code=True`, which the model can't be loaded without, Transformers and "
        "Diffusers import that module: it runs with the rights of whoever loads the model, and may "
        "change with every download.",
        '`{"auto_map": {"AutoModel": "modeling_x.XModel"}}` in config.json.',
        "Read the module that it names, pin the revision, and load it in a sandbox; or use a model "
        "whose classes the library has.",
    ),
    Rule(
        "SM511",
        "import-by-name",
        Severity.HIGH,
        "A configuration that names what is to be imported",
        "A dotted name of a module or class that is none of the library's own, in a place where a "
        "loader imports it.",
        "Sentence-Transformers imports the `type` of modules.json, Diffusers the library of "
        "model_index.json, Hydra and MLflow what `_target_` and `loader_module` name: any function "
        "that is installed, such as `os.system`, can be called.",
        '`[{"idx": 0, "type": "subprocess.Popen", "path": ""}]` in modules.json.',
        "Do not load it, unless you know the module that it names.",
    ),
    Rule(
        "SM512",
        "path-outside",
        Severity.HIGH,
        "A configuration that names a file outside of its folder",
        "An absolute path, one with `..`, a drive letter or a URL where the name of a file in the "
        "same folder should be.",
        "The loader reads what it finds there, and may unpickle it.",
        '`{"weight_map": {"a": "../../other/pytorch_model.bin"}}`',
        "Do not load it.",
    ),
    Rule(
        "SM513",
        "duplicate-key",
        Severity.MEDIUM,
        "A configuration that says two things at once",
        "A key that decides what is loaded occurs twice in one JSON object, or the file is not in "
        "UTF-8.",
        "Parsers take the first or the last value, so a reviewer may see another one than the "
        "loader.",
        '`{"auto_map": {}, "auto_map": {"AutoModel": "x.Y"}}`',
        "Get the file from its publisher again.",
    ),
    Rule(
        "SM514",
        "code-beside-weights",
        Severity.LOW,
        "Python code in a model's folder",
        "Python files lie beside the weights, and no configuration there names them.",
        "Loading the model does not run them; an example or a script that comes with it may.",
        "`train.py` beside `model.safetensors`.",
        "Read them before you run them.",
    ),
    Rule(
        "SM515",
        "library-beside-weights",
        Severity.MEDIUM,
        "Machine code in a model's folder",
        "A shared library or program lies beside the weights.",
        "A model needs none. Loaders of custom operators load what a path names, and Windows looks "
        "for libraries in the current folder first.",
        "`libops.so` beside `model.onnx`.",
        "Remove it, or get it from its publisher as a signed package.",
    ),
    Rule(
        "SM516",
        "yaml-python-tag",
        Severity.HIGH,
        "YAML that names Python objects",
        "A tag `!!python/…` that makes an object, calls a function or imports a module that is in "
        "no table of harmless names.",
        "`yaml.load` with its old default or `unsafe_load` does what the tag says: CVE-2021-37678 "
        "in Keras, CVE-2020-14343 in PyYAML itself.",
        "`!!python/object/apply:os.system ['id']`",
        "Do not load it, or only by `yaml.safe_load`, which refuses it.",
    ),
    Rule(
        "SM517",
        "missing-shard",
        Severity.LOW,
        "An index that names files which are not there",
        "A sharded model's index names a file that its folder does not hold.",
        "The model can't be loaded whole; what a loader fetches in its place was not scanned.",
        "`model.safetensors.index.json` names three shards, and two are there.",
        "Finish the download.",
    ),
    Rule(
        "SM518",
        "config-expression",
        Severity.HIGH,
        "A configuration with Python expressions",
        "Strings that begin with `$` in a configuration of MONAI's kind.",
        "`monai.bundle` evaluates them, with imports of their choice, while it reads the file.",
        '`{"_meta_": {}, "x": "$__import__(\'os\').system(\'id\')"}`',
        "Read every expression before you load it, as you would read a program.",
    ),
    Rule(
        "SM520",
        "skops-dangerous",
        Severity.CRITICAL,
        "A skops file that builds something dangerous",
        "A node of schema.json names a class, function or method that is known to do harm, or a "
        "loader that calls whatever it names.",
        "skops looks names up and calls them while it loads. Its list of what to trust had holes: "
        "CVE-2025-54412 (OperatorFuncNode), CVE-2025-54413 (MethodNode), CVE-2025-54886 (Card).",
        '`{"__loader__": "FunctionNode", "__module__": "os", "__class__": "system"}`',
        "Do not load it.",
    ),
    Rule(
        "SM521",
        "skops-unknown",
        Severity.MEDIUM,
        "A skops file with a type that no table knows",
        "A node of schema.json names a class or function that is in no table of harmless names.",
        "`skops.io.load` asks to trust it; who does runs its constructor with state from the file.",
        '`{"__loader__": "ObjectNode", "__module__": "acme", "__class__": "Model"}`',
        "Read what the class does with its state, then name it in a policy.",
    ),
    Rule(
        "SM522",
        "skops-contradiction",
        Severity.HIGH,
        "A skops file whose nodes contradict themselves",
        "A node's loader is unknown, or names another class than the one that loader builds.",
        "skops checks one name and runs another where they differ (CVE-2025-54412, "
        "CVE-2025-54413).",
        '`{"__loader__": "OperatorFuncNode", "__module__": "os", "__class__": "system"}`',
        "Do not load it.",
    ),
)
