"""Corpora: from the raw tree of each to its clips, its labels, its published split, and what does not fit."""

from mmfeat.corpora.corpus import Corpus, RawCorpus, RawSources
from mmfeat.corpora.doctor import Diagnosis, diagnose
from mmfeat.corpora.found import Difference, Differences
from mmfeat.corpora.m3ed import M3ED
from mmfeat.corpora.mer23 import MER23
from mmfeat.corpora.mimic import MIMIC, mimic_corpus
from mmfeat.corpora.mosei import MOSEI, MOSEI_EMOTIONS
from mmfeat.corpora.mosi import MOSI
from mmfeat.corpora.openface_files import OpenFaceFiles
from mmfeat.corpora.reconcile import Reconciliation, reconcile
from mmfeat.corpora.sims import SIMS, SIMS_V2
from mmfeat.corpora.voxceleb import VOXCELEB, SpeakerChoice, voxceleb_corpus

CORPORA = {corpus.name: corpus for corpus in (MOSI, MOSEI, MOSEI_EMOTIONS, SIMS, SIMS_V2, MER23, M3ED, MIMIC, VOXCELEB)}

__all__ = [
    "CORPORA",
    "Corpus",
    "Diagnosis",
    "Difference",
    "Differences",
    "OpenFaceFiles",
    "RawCorpus",
    "RawSources",
    "Reconciliation",
    "SpeakerChoice",
    "diagnose",
    "mimic_corpus",
    "reconcile",
    "voxceleb_corpus",
]
