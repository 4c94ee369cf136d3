"""Corpora: from the raw tree of each to its clips, its labels, its published split, and what does not fit."""

from mmfeat.corpora.corpus import Corpus, RawCorpus, RawSources
from mmfeat.corpora.found import Difference, Differences
from mmfeat.corpora.mosi import MOSI
from mmfeat.corpora.openface_files import OpenFaceFiles
from mmfeat.corpora.recognised import RecognisedText, RecognisedTexts
from mmfeat.corpora.reconcile import Reconciliation, reconcile

CORPORA = {corpus.name: corpus for corpus in (MOSI,)}

__all__ = [
    "CORPORA",
    "Corpus",
    "Difference",
    "Differences",
    "OpenFaceFiles",
    "RawCorpus",
    "RawSources",
    "RecognisedText",
    "RecognisedTexts",
    "Reconciliation",
    "reconcile",
]
