import csv
import math

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cli.skesl import skesl
from mmfeat import ClipEntry, ClipFeatures, ConfigError, DatasetInfo, DatasetReader, DatasetWriter, LabelInfo, Split
from skesl import (
    ClipSet,
    ExperimentConfig,
    MethodError,
    TrainConfig,
    evaluate_predictions,
    evaluate_run,
    finetune,
    predict_run,
)
from skesl.methods import BUILT_IN
from skesl.methods.text_only import TextOnly
from skesl.predictions import Predictions
from skesl.task import PROBLEMS, Task
from skesl.task_outputs import task_loss, task_scores
from skesl.testing import make_method

QUICK = TrainConfig(n_epochs=12, batch_size=8, learning_rate=1e-2, text_encoder_learning_rate=3e-3, device="cpu")
MOODS = ("low", "plain", "high")
WORDS = {"low": "terrible", "plain": "ordinary", "high": "wonderful"}
EMOTIONS = ("neutral", "angry", "happy", "sad", "worried", "surprise")
LABELS = [
    LabelInfo(name="mood", problem="class", class_names=MOODS),
    LabelInfo(name="happy", problem="multilabel"),
    LabelInfo(name="sad", problem="multilabel"),
    LabelInfo(name="valence"),
    LabelInfo(name="arousal"),
    LabelInfo(name="emotion", problem="class", class_names=EMOTIONS),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A dataset whose words decide every label."""
    path = tmp_path_factory.mktemp("data") / "moods.h5"
    info = DatasetInfo(name="moods", language="en")
    with DatasetWriter(path, info=info, streams=[], labels=LABELS, schemes=["default"]) as writer:
        for index in range(48):
            mood = index % 3
            entry = ClipEntry(
                clip_id=f"clip_{index}",
                recording_id=f"recording_{index // 4}",
                splits={"default": Split.TRAIN if index < 30 else Split.VALID if index < 36 else Split.TEST},
                text=f"it was {WORDS[MOODS[mood]]}",
                labels={
                    "mood": mood,
                    "happy": float(mood == 2),
                    "sad": float(mood == 0),
                    "valence": mood - 1.0,
                    "arousal": 2.0 * (mood == 1),
                    "emotion": (3, 0, 2)[mood],
                },
            )
            writer.write(ClipFeatures(entry=entry))
    return path


@pytest.mark.parametrize(
    ("labels", "metric", "columns"),
    [
        (("mood",), "class_acc", MOODS),
        (("happy", "sad"), "ml_acc", ("happy", "sad")),
        (("valence", "arousal"), "mean_corr", ("valence", "arousal")),
        (("valence", "emotion"), "mer23_f1", (*EMOTIONS, "valence")),
    ],
    ids=["class", "multilabel", "regressions", "mer23"],
)
def test_every_problem_is_learned_evaluated_and_read_again(data, tmp_path, encoder, labels, metric, columns):
    config = ExperimentConfig(method="text_only", text_encoder=encoder, train=QUICK, labels=labels)
    report = finetune(data, tmp_path / "run", config)
    evaluation = evaluate_run(tmp_path / "run", data, device="cpu")

    assert evaluation.metrics[metric] > 0.9
    assert math.isfinite(report.result.best_values[report.selection_metric])
    assert report.selection_metric in evaluation.metrics
    assert evaluation.rows["median"][metric] < 0.9 or math.isnan(evaluation.rows["median"][metric])
    predictions = predict_run(tmp_path / "run", data, part=Split.TEST, device="cpu")
    assert predictions.task.columns == columns
    with (tmp_path / "run" / "predictions.csv").open() as handle:
        assert set(columns) <= set(csv.DictReader(handle).fieldnames)
    again = Predictions.load(tmp_path / "run" / "predictions.csv", predictions.task)
    np.testing.assert_array_equal(again.scores, predictions.scores)
    np.testing.assert_array_equal(again.labels, predictions.labels)
    other = evaluate_predictions([tmp_path / "run" / "predictions.csv"], data, labels)
    assert other.metrics == evaluation.metrics


def test_the_commands_take_several_labels_and_a_metric_that_suits_them(data, tmp_path, encoder):
    def command(*arguments):
        return CliRunner().invoke(skesl, [*map(str, arguments)])

    options = ("--method", "text_only", "--text-encoder", encoder, "--device", "cpu", "--epochs", 1)
    made = command(
        "finetune", data, "--run", tmp_path / "run", "--label", "happy, sad", "--metric", "macro_f1", *options
    )
    assert made.exit_code == 0, made.output
    assert "(valid macro_f1 " in made.stdout
    refused = command("finetune", data, "--run", tmp_path / "b", "--label", "happy,sad", "--metric", "corr", *options)
    assert refused.exit_code != 0
    assert "selection_metric: expected one of ml_acc, " in refused.stderr
    said = command("predict", tmp_path / "run", "--text", "it was wonderful", "--device", "cpu")
    assert said.stdout.startswith("text: happy 0.")
    page = command("report", tmp_path / "run", data, "--out", tmp_path / "page.html", "--no-ablate", "--device", "cpu")
    assert page.exit_code == 0, page.output


def test_a_method_refuses_a_problem_that_it_does_not_learn():
    class Regresses(TextOnly):
        problems = ("regression",)

    with pytest.raises(MethodError, match="'text_only' learns regression; the label emotion asks for class"):
        make_method(Regresses, task=Task.example("class"))


def test_losses_and_scores_of_every_problem_by_hand():
    outputs = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]], dtype=torch.float64)
    several = Task(problem="regressions", labels=("a", "b", "c"))
    labels = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    assert float(task_loss(several, outputs, labels)) == pytest.approx((1 + 2 + 0.5 + 1 + 2 + 2) / 6)
    assert torch.equal(task_scores(several, outputs), outputs)

    yes_or_no = Task(problem="multilabel", labels=("a", "b", "c"))
    entropies = [
        math.log1p(math.exp(value if label == 0 else -value))
        for value, label in zip(outputs.flatten().tolist(), labels.flatten().tolist(), strict=True)
    ]
    assert float(task_loss(yes_or_no, outputs, labels)) == pytest.approx(sum(entropies) / 6)
    assert float(task_scores(yes_or_no, outputs)[1, 1]) == pytest.approx(1 / (1 + math.exp(-3)))

    classes = Task(problem="class", labels=("a",), class_names=("x", "y", "z"))
    truth = torch.tensor([[2.0], [1.0]], dtype=torch.float64)
    surprise = [
        -0.5 + math.log(math.exp(1) + math.exp(-2) + math.exp(0.5)),
        -3 + math.log(1 + math.exp(3) + math.exp(-1)),
    ]
    assert float(task_loss(classes, outputs, truth)) == pytest.approx(sum(surprise) / 2)
    assert classes.answers(task_scores(classes, outputs).numpy()).tolist() == [[0.0], [1.0]]

    mer23 = Task.example("mer23")
    wide = torch.zeros((1, 7), dtype=torch.float64)
    assert float(task_loss(mer23, wide, torch.tensor([[0.0, 2.0]]))) == pytest.approx(math.log(6) + 4.0)
    assert mer23.columns == (*EMOTIONS, "valence")


def test_answers_that_are_not_finite_stay_so():
    task = Task(problem="class", labels=("a",), class_names=("x", "y"))

    assert np.isnan(task.answers(np.array([[np.nan, 0.0]]))).all()
    assert task.answers(np.zeros((0, 2))).shape == (0, 1)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_usual_answer_is_the_median_or_the_most_frequent_class(problem):
    task = Task.example(problem)
    labels = np.array([[2.0], [2.0], [5.0], [1.0], [2.0]]).repeat(len(task.labels), axis=1)

    assert set(task.usual_answer(labels)) == {2.0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"problem": "guess"}, "expected one of regression, regressions, class, multilabel, mer23, got 'guess'"),
        ({"labels": ("a", "b")}, r"problem 'regression': expected 1 label\(s\), got 2"),
        ({"problem": "class"}, r"problem 'class': got the classes \[\]"),
        ({"class_names": ("x",)}, r"problem 'regression': got the classes \['x'\]"),
    ],
)
def test_a_task_that_contradicts_itself_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Task(**settings)


class RemembersClips(TextOnly):
    """A method that counts how often it has seen each clip, and what its side label was."""

    name = "remembers_clips"
    training_only = ("counts",)

    @classmethod
    def side_labels(cls, config):
        return ("arousal", "not there")

    def meet_clips(self, clips):
        self.n_step = 0
        self.register_buffer("counts", torch.zeros(len(clips)))
        self.seen = dict(zip(clips.clip_ids, clips.side_labels["arousal"], strict=True))

    def on_step_end(self):
        self.n_step += 1

    def finetune_loss(self, batch):
        self.counts[batch.rows] += 1
        for clip_id, value in zip(batch.clip_ids, batch.side_labels["arousal"].tolist(), strict=True):
            assert self.seen[clip_id] == value
        assert list(batch.side_labels) == ["arousal"]
        return super().finetune_loss(batch)


def test_a_method_meets_its_clips_and_its_memory_stays_out_of_the_run(data, tmp_path, encoder, monkeypatch):
    monkeypatch.setitem(BUILT_IN, RemembersClips.name, RemembersClips)
    made = []
    monkeypatch.setattr(RemembersClips, "on_epoch_end", lambda self, epoch: made.append((epoch, self)))
    train = TrainConfig(n_epochs=3, batch_size=8, device="cpu")
    config = ExperimentConfig(method="remembers_clips", text_encoder=encoder, train=train, labels=("valence",))

    finetune(data, tmp_path / "run", config)

    method = made[-1][1]
    assert [epoch for epoch, _ in made] == [1, 2, 3]
    assert method.counts.tolist() == [3.0] * 30
    assert method.n_step == 3 * 4
    assert np.isfinite(predict_run(tmp_path / "run", data, device="cpu").scores).all()


def test_rows_and_recordings_tell_clips_apart(data):
    with DatasetReader(data) as reader:
        clips = ClipSet(
            reader,
            np.array([9, 2, 8, 3]),
            None,
            stage="finetune",
            streams=(),
            labels=np.zeros((reader.n_clip, 1), dtype=np.float32),
            lexicon={},
            max_text_tokens=8,
        )
        batch = clips.batch(np.array([3, 0, 2]))

    assert batch.clip_ids == ("clip_3", "clip_9", "clip_8")
    assert batch.rows.tolist() == [3, 0, 2]
    assert batch.recordings.tolist() == [clips.recordings[row] for row in (3, 0, 2)]
    assert clips.recordings[0] == clips.recordings[2] != clips.recordings[1] == clips.recordings[3]
    assert not batch.text_mask.any()
    assert clips.n_byte == 0
