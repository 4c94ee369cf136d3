"""Sound: reading any file, and log-F0, MFCC and CQT chroma on one common frame grid."""

from mmfeat.audio.config import (
    AUDIO_PRESETS,
    AudioFeatureConfig,
    ChromaConfig,
    LogMelConfig,
    MfccConfig,
    PitchConfig,
    ZeroCrossingConfig,
)
from mmfeat.audio.extract import Engine, audio_stream_info, engine_for, extract_audio, prepare_engine
from mmfeat.audio.read import AUDIO_SUFFIXES, read_audio
from mmfeat.audio.wav import extract_wav, written_wavs

__all__ = [
    "AUDIO_PRESETS",
    "AUDIO_SUFFIXES",
    "AudioFeatureConfig",
    "ChromaConfig",
    "Engine",
    "LogMelConfig",
    "MfccConfig",
    "PitchConfig",
    "ZeroCrossingConfig",
    "audio_stream_info",
    "engine_for",
    "extract_audio",
    "extract_wav",
    "prepare_engine",
    "read_audio",
    "written_wavs",
]
