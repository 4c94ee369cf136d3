"""Training on dataset files: pretrain, fine-tune, evaluate and predict.

The public names, by task:

- the stages: ``pretrain``, ``finetune``, ``predict_run``, ``evaluate_runs``
- anybody's predictions: ``evaluate_predictions``, ``compare``
- a page to look at: ``write_report``
- settings: ``TrainConfig``, ``load_settings``
- methods: ``method_names``, ``find_method``, ``Method``
- results: ``sentiment_metrics``, ``sims_metrics``, ``multilabel_metrics``, ``class_metrics``, ``EvaluationReport``

The names are listed in ``__init__.pyi`` and imported at first use: ``import skesl`` needs no torch.
"""

from typing import Any

import lazy_loader

from skesl.errors import check_train_extra

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Import a public name at its first use; a missing package of the extra ``train`` is said in one line."""
    with check_train_extra():
        return _load(name)
