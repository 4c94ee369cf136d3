"""Sound: reading any file, and log-F0, MFCC and CQT chroma on one common frame grid."""

from mmfeat.audio.config import AUDIO_PRESETS, AudioFeatureConfig, ChromaConfig, MfccConfig, PitchConfig
from mmfeat.audio.extract import audio_stream_info, extract_audio
from mmfeat.audio.read import AUDIO_SUFFIXES, read_audio

__all__ = [
    "AUDIO_PRESETS",
    "AUDIO_SUFFIXES",
    "AudioFeatureConfig",
    "ChromaConfig",
    "MfccConfig",
    "PitchConfig",
    "audio_stream_info",
    "extract_audio",
    "read_audio",
]
