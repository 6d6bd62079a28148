"""The parameters of LightGBM: which there are, what they may hold, in a text model and in Python.

LightGBM takes one string of `name=value` pairs, in which a parameter may name a file to read or to
write, or machines to connect to, and a value with a space is two. So the table is closed, values
have a grammar, and whatever names a file, a machine or more than one process must be empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.native import Table
from safemodel.adapters.sklearn.schema import MAX_FEATURES, MAX_JOBS, MAX_VERBOSE
from safemodel.adapters.sklearn.scope import NotAllowedSpecError, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Bool,
    Const,
    Either,
    Int,
    Real,
    Scope,
    Seq,
    Spec,
    Text,
    either,
    one_of,
    optional,
)

# Main names by type, in no order; those in front of "=" have the aliases behind it.
_INTEGERS: Final = """
 num_iterations=num_iteration,n_iter,num_tree,num_trees,num_round,num_rounds,nrounds,num_boost_round,n_estimators,max_iter
 num_leaves=num_leaf,max_leaves,max_leaf,max_leaf_nodes
 seed=random_seed,random_state max_depth
 min_data_in_leaf=min_data_per_leaf,min_data,min_child_samples,min_samples_leaf
 bagging_freq=subsample_freq bagging_seed=bagging_fraction_seed feature_fraction_seed extra_seed
 early_stopping_round=early_stopping_rounds,early_stopping,n_iter_no_change
 max_drop drop_seed min_data_per_group max_cat_threshold max_cat_to_onehot top_k=topk
 saved_feature_importance_type num_grad_quant_bins max_bin=max_bins min_data_in_bin
 bin_construct_sample_cnt=subsample_for_bin data_random_seed=data_seed objective_seed
 lambdarank_truncation_level multi_error_top_k local_listen_port=local_port,port time_out
 gpu_platform_id gpu_device_id num_gpu pred_early_stop_freq metric_freq=output_freq
 snapshot_freq=save_period
"""
_REALS: Final = """
 learning_rate=shrinkage_rate,eta histogram_pool_size=hist_pool_size
 min_sum_hessian_in_leaf=min_sum_hessian_per_leaf,min_sum_hessian,min_hessian,min_child_weight
 bagging_fraction=sub_row,subsample,bagging
 pos_bagging_fraction=pos_sub_row,pos_subsample,pos_bagging
 neg_bagging_fraction=neg_sub_row,neg_subsample,neg_bagging
 feature_fraction=sub_feature,colsample_bytree
 feature_fraction_bynode=sub_feature_bynode,colsample_bynode
 early_stopping_min_delta max_delta_step=max_tree_output,max_leaf_output
 lambda_l1=reg_alpha,l1_regularization lambda_l2=reg_lambda,lambda,l2_regularization
 linear_lambda min_gain_to_split=min_split_gain drop_rate=rate_drop skip_drop top_rate other_rate
 cat_l2 cat_smooth monotone_penalty=monotone_splits_penalty,ms_penalty,mc_penalty
 refit_decay_rate cegb_tradeoff cegb_penalty_split path_smooth scale_pos_weight sigmoid alpha
 fair_c poisson_max_delta_step tweedie_variance_power lambdarank_position_bias_regularization
 pred_early_stop_margin
"""
_FLAGS: Final = """
 deterministic force_col_wise force_row_wise bagging_by_query extra_trees=extra_tree
 first_metric_only xgboost_dart_mode uniform_drop use_quantized_grad quant_train_renew_leaf
 stochastic_rounding linear_tree=linear_trees is_enable_sparse=is_sparse,enable_sparse,sparse
 enable_bundle=is_enable_bundle,bundle use_missing zero_as_missing feature_pre_filter
 pre_partition=is_pre_partition two_round=two_round_loading,use_two_round_loading
 header=has_header precise_float_parser is_unbalance=unbalance,unbalanced_sets
 boost_from_average reg_sqrt lambdarank_norm gpu_use_dp pred_early_stop
 is_provide_training_metric=training_metric,is_training_metric,train_metric
"""
_WORDS: Final = """
 objective=objective_type,app,application,loss boosting=boosting_type,boost
 data_sample_strategy device_type=device
 monotone_constraints_method=monotone_constraining_method,mc_method
 label_column=label weight_column=weight
 group_column=group,group_id,query_column,query,query_id gpu_device_id_list
"""
_LISTS: Final = """
 metric=metrics,metric_types monotone_constraints=mc,monotone_constraint,monotonic_cst
 feature_contri=feature_contrib,fc,fp,feature_penalty cegb_penalty_feature_lazy
 cegb_penalty_feature_coupled max_bin_by_feature
 ignore_column=ignore_feature,blacklist
 categorical_feature=cat_feature,categorical_column,cat_column,categorical_features
 label_gain eval_at=ndcg_eval_at,ndcg_at,map_eval_at,map_at auc_mu_weights
"""
_THREADS: Final = "num_threads=num_thread,nthread,nthreads,n_jobs"
# Files, machines, and what makes the library look for them: only ever empty
_EMPTY: Final = """
 config=config_file data=train,train_data,train_data_file,data_filename
 valid=test,valid_data,valid_data_file,test_data,test_data_file,valid_filenames
 forcedsplits_filename=fs,forced_splits_filename,forced_splits_file,forced_splits
 input_model=model_input,model_in output_model=model_output,model_out forcedbins_filename
 parser_config_file machine_list_filename=machine_list_file,machine_list,mlist
 machines=workers,nodes
"""
_MAX_CLASSES: Final = 100_000
INTERACTIONS: Final = "interaction_constraints"
ALLOW_INTERACTIONS: Final = "lightgbm:interaction_constraints"


def _names(text: str) -> Iterable[tuple[str, list[str]]]:
    for item in text.split():
        name, _, aliases = item.partition("=")
        yield name, [name, *filter(None, aliases.split(","))]


# In Python


class _Word(Text):
    """A string that is one value of LightGBM's `name=value` pairs."""

    def check(self, value: Any, scope: Scope) -> None:
        Text(4096).check(value, scope)
        if not re.fullmatch(r"[A-Za-z0-9_.,@:+-]*", value):
            raise SpecError(f"is {str(value)[:60]!r}, which is no value of a parameter of LightGBM")


class _Interactions:
    """Groups of features that may stand in one branch: only where the caller permits them.

    LightGBM does not compare them with the features of the data that it is given next: a copy of
    an estimator that is fitted on fewer ends the process.
    """

    _groups: Final[Spec] = optional(Seq(Seq(Int(0, MAX_FEATURES))))

    def check(self, value: Any, scope: Scope) -> None:
        self._groups.check(value, scope)
        if value and not scope.audit.allows(ALLOW_INTERACTIONS):
            raise NotAllowedSpecError(
                "names features by number, and LightGBM crashes if it is fitted again on fewer",
                ALLOW_INTERACTIONS,
            )

    def __str__(self) -> str:
        return f"{self._groups}; not None or empty only with allow={ALLOW_INTERACTIONS!r}"


_WORD: Final = _Word()
_SIGNED: Final = Int(-(2**31), 2**31 - 1)
_NONE: Final = one_of(None)
_FLAG: Final = either(_NONE, Bool(), Int(0, 1), one_of("true", "false", "True", "False", "0", "1"))
_ITEM: Final = either(_SIGNED, Real(), _WORD)
_LIST: Final[Spec] = optional(
    _WORD,
    _SIGNED,
    Real(),
    Seq(either(_ITEM, Seq(_SIGNED))),
    Array("iuf", (None,)),
)


def _specs() -> dict[str, Spec]:
    kinds: tuple[tuple[str, Spec], ...] = (
        (_INTEGERS, optional(_SIGNED, Real(-(2.0**31), 2.0**31 - 1))),
        (_REALS, optional(Real())),
        (_FLAGS, _FLAG),
        (_WORDS, optional(_WORD)),
        (_LISTS, _LIST),
        (_THREADS, optional(Int(-MAX_JOBS, MAX_JOBS))),
        (_EMPTY, _NONE),
        ("verbosity=verbose", either(_NONE, Bool(), Int(-MAX_VERBOSE, MAX_VERBOSE))),
        ("num_class=num_classes", optional(Int(1, _MAX_CLASSES))),
        ("num_machines=num_machine", optional(Int(1, 1))),
        ("tree_learner=tree,tree_type,tree_learner_type", one_of(None, "serial")),
        (INTERACTIONS, _Interactions()),
        ("task=task_type", one_of(None, "train")),
        ("save_binary=is_save_binary,is_save_binary_file", one_of(None, False)),
        # Without its look at the shape LightGBM reads beyond the rows that it predicts for
        ("predict_disable_shape_check", one_of(None, False)),
    )
    return {name: spec for names, spec in kinds for _, every in _names(names) for name in every}


SPECS: Final[Mapping[str, Spec]] = _specs()
PARAMETERS: Final = Table({}, SPECS, "a dict of parameters of LightGBM")  # or aliases


_SECTION: Final = (
    (_INTEGERS, f"{_INTEGERS} {_THREADS} verbosity num_class num_machines"),
    (_REALS, _REALS),
    (_FLAGS, _FLAGS),
    (_WORDS, f"{_WORDS} tree_learner"),
    (_LISTS, f"{_LISTS} {INTERACTIONS}"),
)
_KINDS: Final[Mapping[str, str]] = {
    name: kind for kind, names in _SECTION for name, _ in _names(names)
}


def check_interactions(parameters: Mapping[str, Any], features: int) -> None:
    """Check that constraints name features that are there: LightGBM writes where they say.

    Raises:
        SpecError: one names a feature that is not.
    """
    named = [one for group in parameters.get(INTERACTIONS) or () for one in group]
    if named and max(named) >= features:
        raise SpecError(f"names the feature {max(named)} of {features}", f".{INTERACTIONS}")


# In a text model

_REAL: Final = r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?|-?inf|nan"
_TEXTS: Final[tuple[tuple[str, str], ...]] = (
    (_INTEGERS, r"-?[0-9]{1,10}"),
    (_REALS, _REAL),
    (_FLAGS, "[01]"),
    (_WORDS, r"[A-Za-z0-9_.,@+-]*"),
    (_LISTS, r"[A-Za-z0-9_.,@+\[\] -]*"),
    (_THREADS, r"-?[0-9]{1,3}"),
    (_EMPTY, ""),
    (INTERACTIONS, r"[0-9,\[\]]*"),
    ("verbosity", r"-?[0-9]{1,4}"),
    ("num_class", r"[0-9]{1,6}"),
    ("num_machines", "1"),
    ("tree_learner", "serial"),
    ("save_binary", "0"),
    # Only older releases write these
    ("output_result convert_model convert_model_language initscore_filename", ""),
    ("valid_data_initscores", ""),
    ("predict_raw_score predict_leaf_index predict_contrib predict_disable_shape_check", "0"),
    ("start_iteration_predict num_iteration_predict", r"-?[0-9]{1,10}"),
    ("sparse_threshold", _REAL),
    ("sparse_aware machines_list", r"[A-Za-z0-9_.,-]*"),
    ("is_training_metric", "[01]"),
)
_GRAMMAR: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(pattern) for names, pattern in _TEXTS for name, _ in _names(names)
}


def loaded(section: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters that `lightgbm.Booster(model_file=...)` gets out of a text model."""
    found: dict[str, Any] = {}
    for name, text in section.items():
        kind = _KINDS.get(name)
        if kind is None or not text:
            continue
        if kind is _INTEGERS:
            found[name] = int(text)
        elif kind is _REALS:
            rounded = f"{float(text):g}"
            found[name] = int(rounded) if rounded.lstrip("-").isdecimal() else float(rounded)
        elif kind is _FLAGS:
            found[name] = text == "1"
        elif kind is _WORDS:
            found[name] = text
        elif name == "metric":
            found[name] = text.split(",")
        else:
            found[name] = json.loads(f"[{text}]")
    return found


class Section:
    """The parameters of a text model: known names, values as LightGBM writes them."""

    def check(self, value: Any, scope: Scope) -> None:
        if type(value) is not dict:
            raise SpecError("is no dict of parameters")
        for name, item in value.items():
            grammar = _GRAMMAR.get(name) if type(name) is str else None
            if grammar is None:
                raise SpecError(f"has {name!r:.60}, which is no parameter that is known")
            if type(item) is not str or len(item) > 1 << 16 or not grammar.fullmatch(item):
                raise SpecError(f"has {name} = {item!r:.60}, which it can't be")

    def __str__(self) -> str:
        return "a dict of parameters of a text model"


__all__ = ["PARAMETERS", "SPECS", "Const", "Either", "Section"]
