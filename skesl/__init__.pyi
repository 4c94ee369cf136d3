from .checkpoint import (
    Run as Run,
)
from .checkpoint import (
    RunFolder as RunFolder,
)
from .checkpoint import (
    load_run as load_run,
)
from .config import (
    SELECTION_METRICS as SELECTION_METRICS,
)
from .config import (
    TrainConfig as TrainConfig,
)
from .config import (
    load_settings as load_settings,
)
from .data import (
    Batch as Batch,
)
from .data import (
    ClipSet as ClipSet,
)
from .data import (
    Sample as Sample,
)
from .data import (
    collate as collate,
)
from .errors import (
    CheckpointError as CheckpointError,
)
from .errors import (
    MethodError as MethodError,
)
from .evaluate import (
    EvaluationReport as EvaluationReport,
)
from .evaluate import (
    evaluate_run as evaluate_run,
)
from .experiment import (
    ExperimentConfig as ExperimentConfig,
)
from .experiment import (
    StageReport as StageReport,
)
from .lexicon import (
    SentimentWord as SentimentWord,
)
from .lexicon import (
    find_sentiment_words as find_sentiment_words,
)
from .lexicon import (
    load_lexicon as load_lexicon,
)
from .methods import (
    Method as Method,
)
from .methods import (
    find_method as find_method,
)
from .methods import (
    method_names as method_names,
)
from .metrics import sentiment_metrics as sentiment_metrics
from .normalise import FeatureNormaliser as FeatureNormaliser
from .predict import predict_run as predict_run
from .predictions import Predictions as Predictions
from .stages import (
    finetune as finetune,
)
from .stages import (
    pretrain as pretrain,
)
from .text import (
    TextEncoder as TextEncoder,
)
from .text import (
    load_text_encoder as load_text_encoder,
)
