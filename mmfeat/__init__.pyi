from .audio import (
    AUDIO_PRESETS as AUDIO_PRESETS,
)
from .audio import (
    AUDIO_SUFFIXES as AUDIO_SUFFIXES,
)
from .audio import (
    AudioFeatureConfig as AudioFeatureConfig,
)
from .audio import (
    ChromaConfig as ChromaConfig,
)
from .audio import (
    MfccConfig as MfccConfig,
)
from .audio import (
    PitchConfig as PitchConfig,
)
from .audio import (
    extract_audio as extract_audio,
)
from .audio import (
    read_audio as read_audio,
)
from .build import (
    BuildReport as BuildReport,
)
from .build import (
    build_dataset as build_dataset,
)
from .build import (
    extract_clip as extract_clip,
)
from .build_config import (
    BuildConfig as BuildConfig,
)
from .build_config import (
    resolve_build_config as resolve_build_config,
)
from .config import (
    config_from_mapping as config_from_mapping,
)
from .config import (
    config_sha256 as config_sha256,
)
from .config import (
    config_to_dict as config_to_dict,
)
from .config import (
    load_config as load_config,
)
from .config import (
    merge_mappings as merge_mappings,
)
from .config import (
    merge_overrides as merge_overrides,
)
from .config import (
    read_toml as read_toml,
)
from .dataset import (
    DatasetInfo as DatasetInfo,
)
from .dataset import (
    DatasetReader as DatasetReader,
)
from .dataset import (
    DatasetWriter as DatasetWriter,
)
from .dataset import (
    LabelInfo as LabelInfo,
)
from .dataset import (
    LabelTable as LabelTable,
)
from .dataset import (
    describe as describe,
)
from .dataset import (
    format_description as format_description,
)
from .dataset import (
    validate as validate,
)
from .errors import (
    ClipError as ClipError,
)
from .errors import (
    ConfigError as ConfigError,
)
from .errors import (
    InputError as InputError,
)
from .errors import (
    ManifestError as ManifestError,
)
from .errors import (
    MissingExtraError as MissingExtraError,
)
from .errors import (
    MmfeatError as MmfeatError,
)
from .errors import (
    OutputExistsError as OutputExistsError,
)
from .errors import (
    PluginError as PluginError,
)
from .errors import (
    SchemaError as SchemaError,
)
from .manifest import (
    entries_from_paths as entries_from_paths,
)
from .manifest import (
    read_manifest as read_manifest,
)
from .types import (
    BoolArray as BoolArray,
)
from .types import (
    ClipEntry as ClipEntry,
)
from .types import (
    ClipFeatures as ClipFeatures,
)
from .types import (
    Float32Array as Float32Array,
)
from .types import (
    Float64Array as Float64Array,
)
from .types import (
    FrameFeatures as FrameFeatures,
)
from .types import (
    Split as Split,
)
from .types import (
    StreamFailure as StreamFailure,
)
from .types import (
    StreamInfo as StreamInfo,
)
from .types import (
    StreamStatus as StreamStatus,
)
from .types import (
    Track as Track,
)
from .types import (
    Waveform as Waveform,
)
from .types import (
    untracked as untracked,
)
from .vision import (
    OpenFaceConfig as OpenFaceConfig,
)
from .vision import (
    read_openface_csv as read_openface_csv,
)
