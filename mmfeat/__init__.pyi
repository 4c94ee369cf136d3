from .audio import (
    AUDIO_PRESETS as AUDIO_PRESETS,
    AUDIO_SUFFIXES as AUDIO_SUFFIXES,
    AudioFeatureConfig as AudioFeatureConfig,
    ChromaConfig as ChromaConfig,
    LogMelConfig as LogMelConfig,
    MfccConfig as MfccConfig,
    PitchConfig as PitchConfig,
    ZeroCrossingConfig as ZeroCrossingConfig,
    engine_for as engine_for,
    extract_audio as extract_audio,
    extract_wav as extract_wav,
    read_audio as read_audio,
    written_wavs as written_wavs,
)
from .build import (
    BuildReport as BuildReport,
    build_dataset as build_dataset,
)
from .build_config import (
    BuildConfig as BuildConfig,
    resolve_build_config as resolve_build_config,
)
from .clip_files import (
    entries_from_frame_folders as entries_from_frame_folders,
    entries_from_paths as entries_from_paths,
)
from .clip_jobs import RunReport as RunReport
from .config import (
    config_from_mapping as config_from_mapping,
    config_sha256 as config_sha256,
    config_to_dict as config_to_dict,
    load_config as load_config,
    merge_mappings as merge_mappings,
    merge_overrides as merge_overrides,
    read_toml as read_toml,
)
from .convert import (
    ExportReport as ExportReport,
    ImportReport as ImportReport,
    export_csd as export_csd,
    export_mmsa as export_mmsa,
    export_npz as export_npz,
    import_arrays as import_arrays,
    import_csd as import_csd,
    import_csv as import_csv,
    import_mmsa as import_mmsa,
    import_skesl_pkl as import_skesl_pkl,
    import_univa as import_univa,
    load_pickle as load_pickle,
)
from .corpora import (
    CORPORA as CORPORA,
    Corpus as Corpus,
    Diagnosis as Diagnosis,
    Difference as Difference,
    Differences as Differences,
    RawCorpus as RawCorpus,
    RawSources as RawSources,
    Reconciliation as Reconciliation,
    SpeakerChoice as SpeakerChoice,
    diagnose as diagnose,
    mimic_corpus as mimic_corpus,
    voxceleb_corpus as voxceleb_corpus,
)
from .corpus_build import (
    CorpusChoice as CorpusChoice,
    CorpusPlan as CorpusPlan,
    CorpusReport as CorpusReport,
    build_corpus as build_corpus,
    plan_corpus as plan_corpus,
    read_corpus as read_corpus,
    run_openface_over as run_openface_over,
)
from .csv_table import (
    open_csv as open_csv,
)
from .data_report import (
    DatasetSurvey as DatasetSurvey,
    survey_dataset as survey_dataset,
    write_data_report as write_data_report,
)
from .dataset import (
    AlignedBatch as AlignedBatch,
    Compression as Compression,
    CopyReport as CopyReport,
    DatasetInfo as DatasetInfo,
    DatasetReader as DatasetReader,
    DatasetWriter as DatasetWriter,
    FrameBatch as FrameBatch,
    FrameBlock as FrameBlock,
    LabelInfo as LabelInfo,
    LabelTable as LabelTable,
    PaddedBatch as PaddedBatch,
    SplitConfig as SplitConfig,
    SplitReport as SplitReport,
    describe as describe,
    format_description as format_description,
    join_datasets as join_datasets,
    merge_datasets as merge_datasets,
    read_ids as read_ids,
    split_dataset as split_dataset,
    subset_dataset as subset_dataset,
    validate as validate,
)
from .display import (
    COLOURS as COLOURS,
    Cell as Cell,
    Colour as Colour,
    PageSection as PageSection,
    Table as Table,
    check_page_path as check_page_path,
    defined as defined,
    drawn_svg as drawn_svg,
    html_figure as html_figure,
    html_page as html_page,
    html_paragraph as html_paragraph,
    html_table as html_table,
    write_page as write_page,
)
from .errors import (
    ClipError as ClipError,
    ClusterError as ClusterError,
    ConfigError as ConfigError,
    InputError as InputError,
    ManifestError as ManifestError,
    MissingExtraError as MissingExtraError,
    MissingToolError as MissingToolError,
    MmfeatError as MmfeatError,
    OutputExistsError as OutputExistsError,
    PluginError as PluginError,
    SchemaError as SchemaError,
    StorageError as StorageError,
)
from .extract import (
    extract_clip as extract_clip,
)
from .images import (
    EncodedFrames as EncodedFrames,
)
from .journal import (
    lock_folder as lock_folder,
    whole_lines as whole_lines,
)
from .manifest import (
    read_manifest as read_manifest,
)
from .plot import (
    ClipView as ClipView,
    clip_svg as clip_svg,
    view_clip as view_clip,
    write_clip_plot as write_clip_plot,
)
from .preview import (
    check_preview_path as check_preview_path,
    write_contact_sheet as write_contact_sheet,
)
from .shards import Shard as Shard
from .transcribe import (
    align_clips as align_clips,
    transcribe_clips as transcribe_clips,
)
from .transcripts import (
    BACKENDS as BACKENDS,
    SphinxAligner as SphinxAligner,
    TimedWord as TimedWord,
    Transcriber as Transcriber,
    TranscriberOptions as TranscriberOptions,
    Transcript as Transcript,
    TranscriptTable as TranscriptTable,
    WordErrors as WordErrors,
    open_transcriber as open_transcriber,
    word_errors as word_errors,
)
from .types import (
    BoolArray as BoolArray,
    ClipEntry as ClipEntry,
    ClipFeatures as ClipFeatures,
    Float32Array as Float32Array,
    Float64Array as Float64Array,
    FrameFeatures as FrameFeatures,
    Split as Split,
    StreamFailure as StreamFailure,
    StreamInfo as StreamInfo,
    StreamStatus as StreamStatus,
    Track as Track,
    Waveform as Waveform,
    Words as Words,
    untracked as untracked,
)
from .vision import (
    FRAME_SUFFIXES as FRAME_SUFFIXES,
    VIDEO_SUFFIXES as VIDEO_SUFFIXES,
    FrameConfig as FrameConfig,
    OpenFaceConfig as OpenFaceConfig,
    OpenFaceRunConfig as OpenFaceRunConfig,
    OpenFaceTool as OpenFaceTool,
    find_openface as find_openface,
    read_frames as read_frames,
    read_openface_csv as read_openface_csv,
    run_openface as run_openface,
)
