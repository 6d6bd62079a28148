"""The parameters of XGBoost boosters: every name that a model may set, and what it may say.

XGBoost keeps parameters as strings. They are closed tables here: a parameter that no release from
1.7 to 3.2 writes is refused, and so is a value that its own parser would not take or that would
make training read, write or allocate without end. Generated from boosters of seven releases,
reviewed with the declarations in XGBoost's source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from safemodel.adapters.sklearn.native import Table, optional_table
from safemodel.adapters.sklearn.schema import MAX_JOBS
from safemodel.adapters.sklearn.spec import (
    Bool,
    Int,
    Items,
    Map,
    Scope,
    Seq,
    Spec,
    SpecError,
    Text,
    describe,
    either,
    one_of,
)
from safemodel.adapters.sklearn.xgboost_strings import (
    Decimal,
    Decimals,
    Digits,
    Matching,
)

_FLAG: Final = one_of("0", "1")
_POSITIVE: Final = Decimal(0)
_SHARE: Final = Decimal(0, 1)
_COUNT: Final = Digits()
_SIZE: Final = Digits(0, 2**64 - 1)
_SEED: Final = Digits(-(2**63), 2**63 - 1)
_THREADS: Final = Digits(-MAX_JOBS, MAX_JOBS)

GENERIC: Final = Table(
    {"seed": _SEED, "nthread": _THREADS},
    {
        "random_state": _SEED,
        "n_jobs": _THREADS,
        # Only where the model runs, if there is such a device; no path is among them
        "device": Matching(r"cpu|(cuda|gpu)(:\d{1,3})?"),
        "gpu_id": Digits(-1, 999),
        "fail_on_invalid_gpu_id": _FLAG,
        "seed_per_iteration": _FLAG,
        "validate_parameters": _FLAG,
    },
)

BOOSTERS: Final = ("gbtree", "dart", "gblinear")
_UPDATERS: Final = (
    *("grow_colmaker", "grow_histmaker", "grow_quantile_histmaker", "grow_gpu_hist"),
    *("grow_gpu_approx", "prune", "refresh", "sync"),
)
UPDATER_SEQUENCE: Final = Matching(rf"(({'|'.join(_UPDATERS)})(,({'|'.join(_UPDATERS)}))*)?", 1000)

_TREE_TRAIN: Final = optional_table(
    **dict.fromkeys(
        (
            *("alpha", "eta", "gamma", "lambda", "learning_rate", "max_delta_step"),
            *("min_child_weight", "min_split_loss", "reg_alpha", "reg_lambda", "sketch_ratio"),
        ),
        _POSITIVE,
    ),
    **dict.fromkeys(
        ("colsample_bylevel", "colsample_bynode", "colsample_bytree", "subsample"), _SHARE
    ),
    sparse_threshold=_SHARE,
    cache_opt=_FLAG,
    refresh_leaf=_FLAG,
    grow_policy=one_of("depthwise", "lossguide"),
    sampling_method=one_of("uniform", "gradient_based"),
    max_bin=Digits(2, 1 << 24),
    max_depth=_COUNT,
    max_leaves=_COUNT,
    max_cat_threshold=Digits(1),
    max_cat_to_onehot=Digits(1),
    monotone_constraints=Matching(r"\((-?[01](, ?-?[01])*)?,?\)"),
    interaction_constraints=Matching(r"(\[\]|\[\[[\d, \[\]]*\]\])?"),
)
_HIST: Final = optional_table(
    debug_synchronize=_FLAG, extmem_single_page=_FLAG, max_cached_hist_node=_SIZE
)
_COLMAKER: Final = optional_table(
    opt_dense_col=_POSITIVE, default_direction=one_of("learn", "left", "right")
)
_UPDATER: Final = Table(
    {},
    {
        "name": one_of(*_UPDATERS),
        "hist_train_param": _HIST,
        "colmaker_train_param": _COLMAKER,
        "train_param": _TREE_TRAIN,
        "gpu_hist_train_param": _HIST,
    },
)


@dataclass(frozen=True)
class Updaters:
    """The updaters of trees: a list, and before release 2.0 a dict by name."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is dict:
            Map(one_of(*_UPDATERS), _UPDATER).check(value, scope)
        else:
            Seq(_UPDATER, kinds=(list,)).check(value, scope)
            if any("name" not in one for one in value):
                raise SpecError("has an updater without a name")

    def __str__(self) -> str:
        return "a list of updaters"


_GBTREE: Final = Table(
    {
        "name": one_of("gbtree"),
        "gbtree_train_param": optional_table(
            process_type=one_of("default"),
            tree_method=one_of("auto", "approx", "exact", "hist", "gpu_hist"),
            predictor=one_of("auto", "cpu_predictor", "gpu_predictor"),
            updater=UPDATER_SEQUENCE,
            updater_seq=UPDATER_SEQUENCE,
        ),
        "updater": Updaters(),
        "specified_updater": Bool(),
    },
    {"tree_train_param": _TREE_TRAIN},
)
_GBLINEAR: Final = Table(
    {
        "name": one_of("gblinear"),
        "gblinear_train_param": optional_table(
            max_row_perbatch=_SIZE,
            tolerance=_POSITIVE,
            updater=one_of("shotgun", "coord_descent", "gpu_coord_descent"),
        ),
        "updater": optional_table(
            linear_train_param=optional_table(
                **dict.fromkeys(
                    (
                        *("alpha", "eta", "lambda", "learning_rate", "reg_alpha", "reg_lambda"),
                        *("reg_alpha_denorm", "reg_lambda_denorm"),
                    ),
                    _POSITIVE,
                ),
                feature_selector=one_of("cyclic", "shuffle", "thrifty", "greedy", "random"),
            ),
            coordinate_param=optional_table(top_k=_COUNT),
        ),
    }
)
_DART: Final = Table(
    {
        "name": one_of("dart"),
        "gbtree": _GBTREE,
        "dart_train_param": optional_table(
            normalize_type=one_of("tree", "forest"),
            sample_type=one_of("uniform", "weighted"),
            one_drop=_FLAG,
            rate_drop=_SHARE,
            skip_drop=_SHARE,
            eta=_POSITIVE,
            learning_rate=_POSITIVE,
        ),
    }
)

# Objectives and metrics

_LAMBDARANK: Final = optional_table(
    lambdarank_bias_norm=_POSITIVE,
    lambdarank_normalization=_FLAG,
    lambdarank_num_pair_per_sample=Digits(1, 1_000_000, (2**32 - 1,)),  # the last: not set
    lambdarank_pair_method=one_of("mean", "topk"),
    lambdarank_score_normalization=_FLAG,
    lambdarank_unbiased=_FLAG,
    ndcg_exp_gain=_FLAG,
)
_AFT: Final = optional_table(
    aft_loss_distribution=one_of("normal", "logistic", "extreme"),
    aft_loss_distribution_scale=Decimal(),
)
_HUBER: Final = optional_table(huber_slope=Decimal())
_QUANTILES: Final = optional_table(quantile_alpha=Decimals(0, 1))
_REG: Final = {"reg_loss_param": optional_table(scale_pos_weight=_POSITIVE)}
_NOTHING: Final[Mapping[str, Spec]] = {}
_SOFTMAX: Final = {"softmax_multiclass_param": Table({"num_class": Digits(1)})}
_RANK: Final = {
    "lambdarank_param": _LAMBDARANK,
    "lambda_rank_param": optional_table(
        fix_list_weight=_POSITIVE, num_pairsample=Digits(1, 1_000_000)
    ),
}
OBJECTIVES: Final[Mapping[str, Mapping[str, Spec]]] = {
    **dict.fromkeys(
        (
            *("reg:squarederror", "reg:logistic", "binary:logistic", "binary:logitraw"),
            *("reg:gamma", "reg:linear", "reg:squaredlogerror"),
        ),
        _REG,
    ),
    **dict.fromkeys(("binary:hinge", "survival:cox", "reg:absoluteerror"), _NOTHING),
    **dict.fromkeys(("multi:softmax", "multi:softprob"), _SOFTMAX),
    **dict.fromkeys(("rank:ndcg", "rank:pairwise", "rank:map"), _RANK),
    "survival:aft": {"aft_loss_param": _AFT},
    "reg:pseudohubererror": {"pseudo_huber_param": _HUBER, **_REG},
    "reg:quantileerror": {"quantile_loss_param": _QUANTILES},
    "reg:tweedie": {
        "tweedie_regression_param": optional_table(tweedie_variance_power=Decimal(1, 2))
    },
    "count:poisson": {"poisson_regression_param": optional_table(max_delta_step=_POSITIVE)},
}


@dataclass(frozen=True)
class Objective:
    """An objective of XGBoost with its parameters."""

    def check(self, value: Any, scope: Scope) -> None:
        name = value.get("name") if type(value) is dict else None
        if type(name) is not str or name not in OBJECTIVES:
            raise SpecError(f"is {describe(name)}, and no objective that safemodel knows")
        Table({"name": one_of(name)}, OBJECTIVES[name]).check(value, scope)

    def __str__(self) -> str:
        return "an objective of XGBoost"


METRIC: Final = Matching(
    r"rmse|rmsle|mae|mape|mphe|logloss|error(@\S{1,30})?|auc|aucpr|merror(@\S{1,30})?|mlogloss"
    r"|poisson-nloglik|gamma-nloglik|gamma-deviance|tweedie-nloglik@\S{1,30}|cox-nloglik"
    r"|aft-nloglik|interval-regression-accuracy|quantile|expectile"
    r"|(ndcg|map|pre|ndcg@|map@|pre@)[0-9]{0,10}-?|ams@[0-9.eE+-]{1,30}",
    100,
)
_METRIC: Final = Table(
    {"name": METRIC},
    {
        "aft_loss_param": _AFT,
        "lambdarank_param": _LAMBDARANK,
        "pseudo_huber_param": _HUBER,
        "quantile_loss_param": _QUANTILES,
    },
)


@dataclass(frozen=True)
class _Metric:
    """A metric with its parameters, before release 2.0 its name alone."""

    def check(self, value: Any, scope: Scope) -> None:
        (METRIC if type(value) is str else _METRIC).check(value, scope)

    def __str__(self) -> str:
        return "a metric of XGBoost"


CONFIG: Final = Table(
    {
        "generic_param": GENERIC,
        "learner_train_param": Table(
            {"booster": one_of(*BOOSTERS), "objective": one_of(*OBJECTIVES)},
            {
                "disable_default_eval_metric": _FLAG,
                "multi_strategy": one_of("one_output_per_tree", "multi_output_tree"),
                "dsplit": one_of("auto", "row", "col"),
            },
        ),
        "metrics": Seq(_Metric(), kinds=(list,)),
        "gradient_booster": either(_GBTREE, _DART, _GBLINEAR),
    }
)
VERSION: Final = Items((Int(0, 1000), Int(0, 1000), Int(0, 1000)), (list,))
MAX_GROUPS: Final = 1_000_000
MAX_PARALLEL: Final = 100_000
TABLE: Final = Table(
    {
        "booster": one_of(*BOOSTERS),
        "attributes": Map(Text(4096), Text()),
        "objective": Objective(),
        "learner_model_param": Table(
            {
                "base_score": Decimals(),
                "num_class": Digits(0, MAX_GROUPS),
                "num_feature": Digits(1),
            },
            {"num_target": Digits(1, MAX_GROUPS), "boost_from_average": _FLAG},
        ),
    },
    {
        "feature_names": Seq(Text(), kinds=(list,)),
        "feature_types": Seq(one_of("q", "c", "i", "int", "float"), kinds=(list,)),
        "boosted_rounds": Int(0, 2**31 - 1),
        "leaf_size": Int(0, MAX_GROUPS),
        "gbtree_model_param": Table(
            {"num_parallel_tree": Digits(1, MAX_PARALLEL)}, {"size_leaf_vector": Digits(0, 1)}
        ),
    },
)
