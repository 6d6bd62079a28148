"""The parameters of CatBoost's estimators, and what they may hold.

CatBoost writes folders of logs and snapshots, and reads borders and snapshots, where parameters
say so: whatever names a file or a folder must be empty. Without `allow_writing_files=False` it
still writes `catboost_info` into the current directory when it trains, as it always does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from safemodel.adapters.sklearn.native import Table
from safemodel.adapters.sklearn.schema import LABEL, MAX_JOBS, MAX_VERBOSE, NAME
from safemodel.adapters.sklearn.scope import Scope, SpecError
from safemodel.adapters.sklearn.spec import (
    Array,
    Bool,
    Int,
    Map,
    Real,
    Seq,
    Spec,
    Text,
    either,
    one_of,
    optional,
)

_INTEGERS: Final = """
 iterations n_estimators num_boost_round num_trees depth max_depth border_count max_bin
 fold_permutation_block od_wait leaf_estimation_iterations random_seed random_state
 best_model_min_trees metric_period ctr_leaf_count_limit max_ctr_complexity one_hot_max_size
 snapshot_interval ctr_target_border_count dev_score_calc_obj_block_size dev_efb_max_buckets
 early_stopping_rounds min_data_in_leaf min_child_samples
"""
_REALS: Final = """
 learning_rate eta l2_leaf_reg reg_lambda model_size_reg rsm colsample_bylevel od_pval
 target_border random_strength bagging_temperature fold_len_multiplier gpu_ram_part subsample
 mvs_reg sparse_features_conflict_fraction scale_pos_weight penalties_coefficient
 model_shrink_rate diffusion_temperature eval_fraction
"""
_FLAGS: Final = """
 use_best_model silent store_all_simple_ctr has_time allow_const_label allow_writing_files
 approx_on_full_history langevin posterior_sampling boost_from_average
"""
_WORDS: Final = """
 loss_function objective eval_metric feature_border_type od_type nan_mode counter_calc_method
 leaf_estimation_method logging_level auto_class_weights random_score_type
 final_ctr_computation_mode boosting_type task_type bootstrap_type sampling_unit
 sampling_frequency gpu_cat_features_storage data_partition grow_policy score_function
 leaf_estimation_backtracking model_shrink_mode ctr_history_unit name used_ram_limit
 pinned_memory_size devices device_config
"""
_LISTS: Final = """
 custom_metric custom_loss ignored_features class_weights simple_ctr combinations_ctr
 per_feature_ctr ctr_description cat_features text_features embedding_features
 monotone_constraints feature_weights first_feature_use_penalties per_object_feature_penalties
 fixed_binary_splits per_float_feature_quantization
"""
# Files, folders, code, and how texts are taken apart
_EMPTY: Final = """
 input_borders output_borders train_dir snapshot_file callback text_processing tokenizers
 dictionaries feature_calcers
"""


class _Word(Text):
    """A name with options, as `Quantile:alpha=0.5`."""

    def check(self, value: Any, scope: Scope) -> None:
        Text(4096).check(value, scope)
        if not re.fullmatch(r"[A-Za-z0-9_.,:;=~+<>|* -]*", value):
            raise SpecError(f"is {str(value)[:60]!r}, which is no value of a parameter of CatBoost")


_WORD: Final = _Word()
_ITEM: Final = either(Int(), Real(), _WORD, NAME)
_LIST: Final[Spec] = optional(
    _WORD, Real(), Seq(_ITEM), Map(_ITEM, either(_ITEM, Seq(_ITEM))), Array("iuf", (None,))
)
_INTEGER: Final[Spec] = optional(Int(), Real(-(2.0**53), 2.0**53))


def _specs() -> dict[str, Spec]:
    kinds: tuple[tuple[str, Spec], ...] = (
        (_INTEGERS, _INTEGER),
        (_REALS, optional(Real())),
        (_FLAGS, optional(Bool(), Int(0, 1))),
        (_WORDS, optional(_WORD, Real())),
        (_LISTS, _LIST),
        (_EMPTY, one_of(None)),
        ("save_snapshot", one_of(None, False)),
        ("max_leaves num_leaves", optional(Int(1, 1 << 16))),  # with none it crashed
        ("thread_count", optional(Int(-MAX_JOBS, MAX_JOBS))),
        ("verbose", optional(Bool(), Int(0, MAX_VERBOSE), _WORD)),
        ("classes_count", optional(Int(0, 100_000))),
        ("class_names", optional(Seq(LABEL), Array("iufbU", (None,)))),
        ("metadata", optional(Map(NAME, Text(1 << 16)))),
    )
    return {name: spec for names, spec in kinds for name in names.split()}


SPECS: Final[Mapping[str, Spec]] = _specs()
PARAMETERS: Final = Table({}, SPECS, "a dict of parameters of CatBoost")
