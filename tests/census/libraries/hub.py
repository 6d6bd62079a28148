"""What lies next to weights on model hubs: training arguments, configs, checkpoints."""

from __future__ import annotations

import importlib
import inspect
import os
import tempfile
from typing import Any

from libraries.networks import saved


def transformers() -> Any:
    t = importlib.import_module("transformers")
    folder = tempfile.mkdtemp()
    yield "training arguments", lambda: saved(t.TrainingArguments(folder, report_to=[]), (3, 4, 5))
    yield (
        "seq2seq arguments",
        lambda: saved(t.Seq2SeqTrainingArguments(folder, report_to=[]), (3, 4, 5)),
    )
    yield "config", lambda: t.BertConfig()
    yield "generation", lambda: t.GenerationConfig()
    yield "batch", lambda: t.BatchEncoding({"input_ids": [1, 2]})
    small = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
    }
    yield "bert", lambda: saved(t.BertModel(t.BertConfig(vocab_size=20, **small)), (3, 5))
    yield (
        "bert state",
        lambda: saved(t.BertModel(t.BertConfig(vocab_size=20, **small)).state_dict()),
    )
    yield (
        "gpt2",
        lambda: saved(
            t.GPT2LMHeadModel(t.GPT2Config(vocab_size=20, n_embd=8, n_layer=1, n_head=2))
        ),
    )
    yield "llama", lambda: saved(t.LlamaForCausalLM(t.LlamaConfig(vocab_size=20, **small)), (3, 5))
    yield (
        "t5",
        lambda: saved(
            t.T5ForConditionalGeneration(
                t.T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
            )
        ),
    )
    yield "vit", lambda: saved(t.ViTModel(t.ViTConfig(image_size=8, patch_size=4, **small)))
    yield (
        "output",
        lambda: importlib.import_module("transformers.modeling_outputs").BaseModelOutput(),
    )
    yield "state", lambda: t.TrainerState()
    peft = importlib.import_module("peft")
    yield "lora config", lambda: peft.LoraConfig(r=4, target_modules=["query"])
    bert = t.BertModel(t.BertConfig(vocab_size=20, **small))
    yield (
        "lora",
        lambda: saved(peft.get_peft_model(bert, peft.LoraConfig(r=2, target_modules=["query"]))),
    )


def lightning() -> Any:
    pl = importlib.import_module("pytorch_lightning")
    torch = importlib.import_module("torch")

    class Net(pl.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self, width: int = 2) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(3, width)

        def training_step(self, batch: Any, index: int) -> Any:
            return self.layer(batch[0]).sum()

        def configure_optimizers(self) -> Any:
            made = torch.optim.Adam(self.parameters())
            return {"optimizer": made, "lr_scheduler": torch.optim.lr_scheduler.StepLR(made, 1)}

    def checkpoint() -> Any:
        folder = tempfile.mkdtemp()
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(4, 3)))
        trainer = pl.Trainer(
            max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False,
            default_root_dir=folder,
            callbacks=[
                pl.callbacks.ModelCheckpoint(folder),
                pl.callbacks.EarlyStopping("x", strict=False),
            ],
        )  # fmt: skip
        trainer.fit(Net(), data)
        path = os.path.join(folder, "final.ckpt")
        trainer.save_checkpoint(path)
        with open(path, "rb") as file:
            return {"__files__": {"torch": file.read()}}

    yield "lightning checkpoint", checkpoint
    metrics = importlib.import_module("torchmetrics")
    yield "metrics", lambda: [metrics.Accuracy("multiclass", num_classes=3), metrics.MeanMetric()]
    yield (
        "metric states",
        lambda: saved(metrics.MetricCollection([metrics.MeanSquaredError()]).state_dict()),
    )


def skorch() -> Any:
    sk = importlib.import_module("skorch")
    torch = importlib.import_module("torch")
    np = importlib.import_module("numpy")

    def fitted() -> Any:
        net = sk.NeuralNetRegressor(torch.nn.Linear, module__in_features=3, module__out_features=1,
                                    max_epochs=1, verbose=0)  # fmt: skip
        return net.fit(np.ones((8, 3), "f4"), np.ones((8, 1), "f4"))

    yield "skorch", fitted


def accelerate() -> Any:
    a = importlib.import_module("accelerate.utils")
    for name in sorted(dir(a)):
        cls = getattr(a, name)
        if inspect.isclass(cls) and hasattr(cls, "__members__"):
            yield f"enum {name}", lambda cls=cls: list(cls)
        elif inspect.isclass(cls) and name.endswith(("Plugin", "Configuration", "Kwargs")):
            yield name, lambda cls=cls: cls()


def cases() -> Any:
    for group in (transformers, lightning, skorch, accelerate):
        try:
            yield from group()
        except ImportError as error:
            yield group.__name__, lambda error=error: _again(error)


def _again(error: BaseException) -> None:
    raise error
