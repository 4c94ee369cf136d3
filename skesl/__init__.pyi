from .checkpoint import (
    Run as Run,
    RunFolder as RunFolder,
    load_run as load_run,
)
from .comparison import (
    Comparison as Comparison,
    compare as compare,
)
from .config import (
    RunOptions as RunOptions,
    Stage as Stage,
    TrainConfig as TrainConfig,
    load_settings as load_settings,
)
from .costs import (
    Estimate as Estimate,
    InputShape as InputShape,
    estimate as estimate,
)
from .data import (
    Batch as Batch,
    ClipSet as ClipSet,
    Sample as Sample,
    collate as collate,
)
from .errors import (
    CheckpointError as CheckpointError,
    MethodError as MethodError,
)
from .evaluate import (
    EvaluationConfig as EvaluationConfig,
    evaluate_predictions as evaluate_predictions,
    evaluate_run as evaluate_run,
    evaluate_runs as evaluate_runs,
)
from .evaluation_report import (
    EvaluationReport as EvaluationReport,
)
from .experiment import (
    ExperimentConfig as ExperimentConfig,
    StageReport as StageReport,
)
from .folds import (
    FoldsReport as FoldsReport,
    predict_mean as predict_mean,
    train_folds as train_folds,
)
from .inputs import (
    DialogueInputConfig as DialogueInputConfig,
    InputConfig as InputConfig,
)
from .lexicon import (
    SentimentWord as SentimentWord,
    find_sentiment_words as find_sentiment_words,
    load_lexicon as load_lexicon,
)
from .masking import (
    MaskingConfig as MaskingConfig,
)
from .methods import (
    Method as Method,
    Preset as Preset,
    find_method as find_method,
    find_preset as find_preset,
    method_config as method_config,
    method_names as method_names,
)
from .metrics import (
    METRIC_NAMES as METRIC_NAMES,
    class_metrics as class_metrics,
    multilabel_metrics as multilabel_metrics,
    sentiment_metrics as sentiment_metrics,
    sims_metrics as sims_metrics,
)
from .normalise import (
    FeatureNormaliser as FeatureNormaliser,
)
from .one_clip import (
    ClipPrediction as ClipPrediction,
    predict_clip as predict_clip,
)
from .predict import (
    predict_run as predict_run,
)
from .prediction_files import (
    check_format as check_format,
)
from .predictions import (
    Predictions as Predictions,
)
from .report import (
    write_report as write_report,
)
from .report_sections import (
    ReportConfig as ReportConfig,
)
from .seeds import (
    SeedsReport as SeedsReport,
    train_seeds as train_seeds,
)
from .stages import (
    finetune as finetune,
    pretrain as pretrain,
)
from .submission import (
    write_submission as write_submission,
)
from .task import (
    Task as Task,
)
from .text import (
    TextEncoder as TextEncoder,
    load_text_encoder as load_text_encoder,
)
from .va_fit import (
    VaFitReport as VaFitReport,
    fit_va as fit_va,
)
