"""Lexicons of valence and arousal, in the columns that people have."""

import numpy as np
import pytest

from mmfeat.errors import InputError
from skesl.va_lexicon import load_va_lexicon, score_texts


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "Word\tValence\tArousal\tDominance\nhappy\t1.0\t0.735\t0.772\nfed up\t0.0\t0.5\t0.3\n",
        "term\tvalence\tarousal\tdominance\nHappy\t1.0\t0.47\t0.1\nfed up\t-1.0\t0.0\t0.3\n",
        ",Word,V.Mean.Sum,V.SD.Sum,V.Rat.Sum,A.Mean.Sum\n1,happy,9.0,1.2,20,6.88\n2,fed up,1.0,1,20,5\n",
    ],
    ids=["nrc-vad", "nrc-vad-2", "warriner"],
)
def test_known_columns_are_found_and_scaled_to_one(tmp_path, text):
    lexicon = load_va_lexicon(written(tmp_path / "lexicon.csv", text))
    assert list(lexicon) == ["happy", "fed up"]
    assert np.asarray(list(lexicon.values())) == pytest.approx(np.array([[1.0, 0.735], [0.0, 0.5]]))
    assert score_texts(["HAPPY!", "happy, but fed up", "hm", ""], lexicon)[:2] == pytest.approx(
        np.array([[1.0, 0.735], [0.5, 0.6175]])
    )
    assert np.isnan(score_texts(["hm", ""], lexicon)).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Word,Valence\nx,1\n", "line 1: expected a column named arousal or a.mean.sum, got Word, Valence"),
        ("Word,Valence,Arousal\n", "got no word"),
        ("Word,Valence,Arousal\nx,1,y\n", "line 2: expected a number in column 3, got 'y'"),
        ("Word,Valence,Arousal\nx,1\n", "line 2: expected at least 3 columns, got 2"),
        ("Word,Valence,Arousal\nx,1,70\n", r"expected values in \[0, 1\], \[-1, 1\] or \[1, 9\], got 1 to 70"),
        ("", "line 1: expected a column named word or term, got nothing"),
    ],
)
def test_faults_are_told_with_their_place(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        load_va_lexicon(written(tmp_path / "lexicon.csv", text))


def test_a_lexicon_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="expected a lexicon of valence and arousal in utf-8"):
        load_va_lexicon(tmp_path / "none.csv")
