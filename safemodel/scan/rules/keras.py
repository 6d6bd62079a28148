"""SM201 to SM229: what Keras looks up while it rebuilds a model, and where HDF5 leads."""

from __future__ import annotations

from typing import Final

from safemodel.report.model import Rule, Severity

_SAFETENSORS: Final = (
    "Do not load the file. Ask its publisher for the weights alone (`.weights.h5` or safetensors) "
    "and the code that builds the model."
)

RULES: Final = (
    Rule(
        "SM201",
        "keras-code",
        Severity.CRITICAL,
        "Python code in a Keras configuration",
        "A Lambda layer, or another object, whose function is Python bytecode: marshalled and in "
        "Base64.",
        "Keras makes a function of it and calls it while it builds the model, or at the first "
        "prediction. With safe_mode=False, in HDF5 files before Keras 2.13 and in several versions "
        "after it without that (CVE-2024-3660, CVE-2025-9905), whoever made the file runs "
        "code.",
        '{"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__", ...}}}',
        "Do not load the file. If you wrote the layer, make it a class with "
        "keras.saving.register_keras_serializable(), and save the model again.",
    ),
    Rule(
        "SM202",
        "keras-foreign-module",
        Severity.HIGH,
        "A Keras configuration names something outside of Keras",
        "A class or function with a module that is not Keras's own: one of the standard library "
        "or of a library whose names no model needs.",
        "Keras up to 3.8 imports any module that is named so, and calls what it finds there with "
        "arguments of the file's choice (CVE-2025-1550), safe_mode or not.",
        '{"module": "os", "class_name": "function", "config": "system"}',
        _SAFETENSORS,
    ),
    Rule(
        "SM203",
        "keras-function",
        Severity.HIGH,
        "A Keras configuration names a function that no layer needs",
        "A name of Keras itself that is neither a part of a model nor plain mathematics.",
        "Keras hands it out like a layer or an activation, and calls it: keras.utils.get_file "
        "downloads and unpacks what the file says (CVE-2025-8747), "
        "keras.config.enable_unsafe_deserialization switches safe_mode off, "
        "keras.models.load_model loads another model.",
        '{"module": "keras.utils", "class_name": "function", "config": "get_file"}',
        _SAFETENSORS,
    ),
    Rule(
        "SM204",
        "keras-custom-object",
        Severity.MEDIUM,
        "A Keras model needs code that is not in the file",
        "A class or function that is no part of any version of Keras that was surveyed.",
        "Keras asks the caller's own code for it: what it does depends on what is registered "
        "under that name there, and Keras up to 3.8 imports the module that the file names.",
        '{"module": "mymodels.layers", "class_name": "Gate", "registered_name": "mymodels>Gate"}',
        "If the class is yours, note the finding in a baseline; else read the code first that you "
        "are asked to install for this model.",
    ),
    Rule(
        "SM205",
        "keras-torch-module",
        Severity.HIGH,
        "A pickled PyTorch module in a Keras configuration",
        "A TorchModuleWrapper layer. Its `module` is a file of torch.save in Base64, and is "
        "scanned as such.",
        "Keras gives it to torch.load(weights_only=False), which unpickles it; before Keras 3.12 "
        "with safe_mode, too (CVE-2025-49655).",
        '{"class_name": "TorchModuleWrapper", "config": {"module": "UEsDBA..."}}',
        _SAFETENSORS,
    ),
    Rule(
        "SM206",
        "keras-saved-model",
        Severity.HIGH,
        "A Keras layer loads a SavedModel from elsewhere",
        "A TFSMLayer, or a layer of TensorFlow Hub: a path or URL of a SavedModel.",
        "Its graph is loaded from that place and run, and graphs read and write files. Before "
        "Keras 3.14 safe_mode did not prevent it.",
        '{"class_name": "TFSMLayer", "config": {"filepath": "/tmp/model"}}',
        "Do not load the file unless you put the SavedModel there and scanned it.",
    ),
    Rule(
        "SM207",
        "keras-path",
        Severity.HIGH,
        "A Keras configuration names a file or an address",
        "A vocabulary, a tokenizer's model or another argument that is a path or URL.",
        "Building the layer opens it: any file of the machine that loads the model, and with "
        "TensorFlow's file systems any address (CVE-2025-12058). What was read is in the model "
        "afterwards, and in whatever it is saved to.",
        '{"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}',
        "Do not load the file. A model that was saved by Keras has its vocabulary in itself.",
    ),
    Rule(
        "SM208",
        "keras-tensorflow-call",
        Severity.HIGH,
        "A Keras layer calls a function of TensorFlow that does more than compute",
        "A layer of tf.keras 2 that stands for a call of TensorFlow (TFOpLambda, "
        "TensorFlowOpLayer, ClassMethod, ...), with a name that is not in the table of plain "
        "mathematics.",
        "Such a layer calls any public function or operation of TensorFlow: tf.io.write_file, "
        "tf.io.read_file, tf.py_function.",
        '{"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}',
        _SAFETENSORS,
    ),
    Rule(
        "SM209",
        "keras-ambiguous",
        Severity.MEDIUM,
        "A Keras configuration that can be read in two ways",
        "JSON with a key that occurs twice in one object, or a class_name that is no text.",
        "Python keeps the last value, other parsers the first: a tool that looks at the file may "
        "see another model than Keras builds. Keras writes no such thing.",
        '{"class_name": "Dense", "class_name": "Lambda", ...}',
        "Do not load the file; find out what wrote it.",
    ),
    Rule(
        "SM210",
        "keras-member",
        Severity.LOW,
        "A member that Keras did not write",
        "A `.keras` archive has, besides its configuration and weights, members outside of "
        "`assets/`, or lacks one of those.",
        "Keras unpacks the whole archive when there are more than three members. They are scanned "
        "like any file.",
        "`model.keras` with a member `setup.py`.",
        "Find out what added it.",
    ),
    Rule(
        "SM221",
        "hdf5-external-link",
        Severity.HIGH,
        "An HDF5 link into another file",
        "A link of the HDF5 file leads to an object of another file, by path.",
        "The HDF5 library opens that file when the object is asked for: weights, and with them "
        "what the model does, come from elsewhere, or private data gets into the model "
        "(CVE-2025-9906, CVE-2026-1669). Keras refuses it only in newer versions.",
        'h5py.ExternalLink("/home/user/private.h5", "/data")',
        "Do not load the file. A file that Keras saved has no such links.",
    ),
    Rule(
        "SM222",
        "hdf5-external-storage",
        Severity.HIGH,
        "An HDF5 dataset whose values are the bytes of other files",
        "The values of a dataset are not in the file: it names other files, and ranges of them.",
        "Reading the dataset reads any file of the machine, such as a key, into the weights, "
        "from where it can be read back (CVE-2026-1669). Writing to it would overwrite them.",
        'create_dataset("kernel", external=[("/etc/passwd", 0, 100)])',
        "Do not load the file. A file that Keras saved has all its values in itself.",
    ),
    Rule(
        "SM223",
        "hdf5-virtual-dataset",
        Severity.HIGH,
        "An HDF5 dataset that is put together from other files",
        "A virtual dataset: its values are datasets of other HDF5 files, by path.",
        "Reading it opens those files. Legitimate in collections of measurements, never in models.",
        "h5py.VirtualSource('/home/user/private.h5', 'data', shape=(100,))",
        "Load it only if you know the files that it names.",
    ),
    Rule(
        "SM224",
        "hdf5-soft-link",
        Severity.LOW,
        "An HDF5 link by name",
        "A link leads to another path of the same file.",
        "Harmless in itself. Keras writes none, and refuses them since 3.12.",
        'file["a"] = h5py.SoftLink("/b")',
        "Nothing, unless the file claims to be a model that Keras saved.",
    ),
    Rule(
        "SM225",
        "hdf5-bomb",
        Severity.MEDIUM,
        "An HDF5 dataset that is far larger than the file",
        "A dataset declares more than 4 GiB and more than a thousand times the size of the file.",
        "Reading it allocates all of that, and ends the process (CVE-2026-0897).",
        "A dataset of shape (2**40,), compressed, of which nothing was ever written.",
        "Do not load the file unless you know why its data are so sparse.",
    ),
    Rule(
        "SM226",
        "hdf5-more-bytes",
        Severity.LOW,
        "Bytes before or behind an HDF5 file",
        "The HDF5 content begins later or ends earlier than the file.",
        "HDF5 goes over them, other programs read them: a file that is two things at once. They "
        "are scanned as a file of their own.",
        "A user block of 512 bytes with a script.",
        "Find out what wrote them.",
    ),
    Rule(
        "SM227",
        "hdf5-user-link",
        Severity.MEDIUM,
        "An HDF5 link of a type that a program must define",
        "A link whose type is neither hard, soft nor external.",
        "What it leads to is up to code that the caller registers with the HDF5 library.",
        "A link of type 187.",
        "Load it only with the program that wrote it.",
    ),
)
