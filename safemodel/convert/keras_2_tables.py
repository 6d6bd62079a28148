"""What Keras 1 and 2 named otherwise than Keras 3, or said and Keras 3 does not: tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Values = tuple[Any, ...]
ANY: Final[Values] = ()  # may go whatever it is
NO: Final[Values] = (None, False)

# Names of classes, by role
ALIASES: Final[Mapping[str, Mapping[str, str]]] = {
    "layer": {
        "AtrousConvolution2D": "Conv2D",
        "AvgPool1D": "AveragePooling1D",
        "AvgPool2D": "AveragePooling2D",
        "AvgPool3D": "AveragePooling3D",
        "BatchNormalizationV1": "BatchNormalization",
        "BatchNormalizationV2": "BatchNormalization",
        "Convolution1D": "Conv1D",
        "Convolution2D": "Conv2D",
        "Convolution2DTranspose": "Conv2DTranspose",
        "Convolution3D": "Conv3D",
        "Deconvolution2D": "Conv2DTranspose",
        "GroupedQueryAttention": "GroupQueryAttention",  # the name of its class
        "GRUCellV2": "GRUCell",
        "GRUV2": "GRU",
        "GlobalAvgPool1D": "GlobalAveragePooling1D",
        "GlobalAvgPool2D": "GlobalAveragePooling2D",
        "GlobalMaxPool1D": "GlobalMaxPooling1D",
        "GlobalMaxPool2D": "GlobalMaxPooling2D",
        "LSTMCellV2": "LSTMCell",
        "LSTMV2": "LSTM",
        "MaxPool1D": "MaxPooling1D",
        "MaxPool2D": "MaxPooling2D",
        "MaxPool3D": "MaxPooling3D",
        "RandomFourierFeatures": "",
        "SeparableConvolution1D": "SeparableConv1D",
        "SeparableConvolution2D": "SeparableConv2D",
        "SyncBatchNormalization": "BatchNormalization",
        "ThresholdedReLU": "ReLU",
        "TimeDistributedDense": "Dense",
    },
    "initializer": {
        "GlorotNormalV2": "GlorotNormal",
        "GlorotUniformV2": "GlorotUniform",
        "HeNormalV2": "HeNormal",
        "HeUniformV2": "HeUniform",
        "LecunNormalV2": "LecunNormal",
        "LecunUniformV2": "LecunUniform",
        "Normal": "RandomNormal",
        "Uniform": "RandomUniform",
        "one": "Ones",
        "zero": "Zeros",
    },
    "regularizer": {
        "ActivityRegularizer": "L1L2",
        "L1L2Regularizer": "L1L2",
        "WeightRegularizer": "L1L2",
    },
    "constraint": {"Maxnorm": "MaxNorm", "NonNegV2": "NonNeg", "Nonneg": "NonNeg"},
    "loss": {"LogCoshError": "LogCosh"},
    "optimizer": {
        "ADAM": "Adam",
        "LossScaleOptimizerV3": "LossScaleOptimizer",
        "RMSProp": "RMSprop",
        "adam": "Adam",
        "rmsprop": "RMSprop",
        "sgd": "SGD",
    },
}

# Text that stands for an object, by role
STRINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "activation": {"hard_swish": "hard_silu", "log_softmax_v2": "log_softmax"},
    "initializer": {
        "GlorotNormal": "glorot_normal",
        "GlorotUniform": "glorot_uniform",
        "HeNormal": "he_normal",
        "HeUniform": "he_uniform",
        "Identity": "identity",
        "LecunNormal": "lecun_normal",
        "LecunUniform": "lecun_uniform",
        "Ones": "ones",
        "Orthogonal": "orthogonal",
        "RandomNormal": "random_normal",
        "RandomUniform": "random_uniform",
        "TruncatedNormal": "truncated_normal",
        "VarianceScaling": "variance_scaling",
        "Zeros": "zeros",
    },
    "regularizer": {"L1": "l1", "L1L2": "l1l2", "L2": "l2", "l1_l2": "l1l2"},
    "constraint": {"maxnorm": "max_norm", "nonneg": "non_neg", "unitnorm": "unit_norm"},
    "loss": {
        "cosine": "cosine_similarity",
        "cosine_proximity": "cosine_similarity",
        "huber_loss": "huber",
        "kullback_leibler_divergence": "kl_divergence",
        "logcosh": "log_cosh",
    },
    "metric": {
        "ACC": "accuracy",
        "cosine": "cosine_similarity",
        "cosine_proximity": "cosine_similarity",
        "kullback_leibler_divergence": "kl_divergence",
        "logcosh": "log_cosh_error",
    },
}
# Functions that a metric or loss wraps
FUNCTIONS: Final[Mapping[str, str]] = {
    "cosine_proximity": "cosine_similarity",
    "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
}

# Arguments by the name of the class of Keras 3
RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "InputLayer": {"batch_input_shape": "batch_shape"},
    "LeakyReLU": {"alpha": "negative_slope"},
    "MaxNorm": {"m": "max_value"},
    "MinMaxNorm": {"low": "min_value", "high": "max_value"},
    "ReLU": {"theta": "threshold"},
}

_SEPARABLE: Final[Mapping[str, Values]] = {
    "groups": (1, None),
    "kernel_initializer": ANY,
    "kernel_regularizer": (None,),
    "kernel_constraint": (None,),
}
_RECURRENT: Final[Mapping[str, Values]] = {"implementation": ANY, "time_major": NO}
_WRAPPER: Final[Mapping[str, Values]] = {"fn": ANY}

# Arguments that may go: where they are anything, or one of these values. `[ROLE]` is all of a role.
DROPPED: Final[Mapping[str, Mapping[str, Values]]] = {
    "[layer]": {
        "__passive_serialization__": ANY,
        "batch_input_shape": ANY,
        "input_dtype": ANY,
        "input_shape": ANY,
        "input_spec": ANY,
        "rng_type": ANY,
        "vocab_size": (None,),
    },
    "[initializer]": {"__passive_serialization__": ANY, "dtype": ANY, "partition_info": ANY},
    "[regularizer]": {"__passive_serialization__": ANY, "name": ANY},
    "[constraint]": {"__passive_serialization__": ANY, "name": ANY},
    "[loss]": _WRAPPER,
    "[metric]": _WRAPPER,
    "[optimizer]": {
        "decay": (0, 0.0, None),
        "experimental_aggregate_gradients": ANY,
        "gradient_aggregator": ANY,
        "is_legacy_optimizer": ANY,
        "jit_compile": ANY,
        "mesh": ANY,
    },
    "AdditiveAttention": {"causal": NO, "score_mode": ("concat", None)},
    "Attention": {"causal": NO},
    "BatchNormalization": {
        "adjustment": (None,),
        "experimental_fused": ANY,
        "fused": ANY,
        "mode": (0, 2),
        "renorm": NO,
        "renorm_clipping": (None,),
        "trainable_bn": ANY,
        "virtual_batch_size": (None,),
    },
    "Bidirectional": {"weights": (None,)},
    "ConvLSTM1D": _RECURRENT,
    "ConvLSTM2D": _RECURRENT,
    "ConvLSTM3D": _RECURRENT,
    "DepthwiseConv1D": {**_SEPARABLE, "filters": (None,)},
    "DepthwiseConv2D": {**_SEPARABLE, "filters": (None,)},
    "Embedding": {"dropout": (0, 0.0, None), "input_length": ANY, "sparse": NO, "weights": (None,)},
    "Conv1DTranspose": {"groups": (1, None)},
    "Conv2DTranspose": {"groups": (1, None)},
    "Conv3DTranspose": {"groups": (1, None)},
    "GRU": _RECURRENT,
    "GRUCell": _RECURRENT,
    "InputLayer": {"type_spec": (None,)},
    "LSTM": _RECURRENT,
    "LSTMCell": _RECURRENT,
    "LayerNormalization": {"fused": ANY},
    "LossScaleOptimizer": {"dynamic": (True,)},
    "MultiHeadAttention": {
        "key_shape": ANY,
        "query_shape": ANY,
        "softmax_robust_masking": NO,
        "value_shape": ANY,
    },
    "Nadam": {"decay": ANY, "schedule_decay": ANY},
    "RNN": {**_RECURRENT, "num_constants": (None, 0)},
    "SeparableConv1D": _SEPARABLE,
    "SeparableConv2D": _SEPARABLE,
    "SimpleRNN": _RECURRENT,
    "SpatialDropout1D": {"noise_shape": (None,)},
    "SpatialDropout2D": {"noise_shape": (None,)},
    "SpatialDropout3D": {"noise_shape": (None,)},
    "SimpleRNNCell": _RECURRENT,
}

# As layers: what hard_sigmoid is up to Keras 2
HARD_SIGMOID: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("Rescaling", {"scale": 0.2, "offset": 0.5}),
    ("ReLU", {"max_value": 1.0}),
)
