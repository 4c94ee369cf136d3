import json
import shutil

import numpy as np
import pytest
import soundfile
from html_pages import (
    check_contrast_of_texts,
    check_figures_are_drawn,
    check_in_browser,
    check_needs_nothing_from_outside,
    read_page,
    texts,
)

from mmfeat import DatasetReader, InputError, OutputExistsError, PageSection, Split, html_page
from mmfeat.testing import tone, write_example_dataset
from skesl import (
    CheckpointError,
    ExperimentConfig,
    Predictions,
    ReportConfig,
    Task,
    TrainConfig,
    finetune,
    pretrain,
    write_report,
)
from skesl.report_sections import recordings
from skesl.testing import write_tiny_text_encoder

QUICK = TrainConfig(n_epochs=2, batch_size=8, learning_rate=1e-2, device="cpu")
SMALL = {"n_layers": 1, "n_inner": 8, "n_head_hidden": 8}
OF_TRAINING = {"training-loss", "training-error", "training-correlation", "training-accuracy"}
OF_PREDICTIONS = {"prediction-label-0", "confusion-7", "confusion-2"}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A dataset, two seeds of a run, a run of text alone, and one that was only pretrained."""
    folder = tmp_path_factory.mktemp("material")
    data = write_example_dataset(folder / "example.h5", n_clip=32)
    encoder = str(write_tiny_text_encoder(folder / "encoder"))
    for seed in (0, 1):
        train = TrainConfig(n_epochs=2, batch_size=8, learning_rate=1e-2, device="cpu", seed=seed)
        config = ExperimentConfig(text_encoder=encoder, train=train, method_settings=SMALL)
        finetune(data, folder / "seeds" / f"seed-{seed}", config)
    finetune(data, folder / "text", ExperimentConfig(method="text_only", text_encoder=encoder, train=QUICK))
    pretrain(data, folder / "pretrained", ExperimentConfig(text_encoder=encoder, train=QUICK, method_settings=SMALL))
    return data, folder


@pytest.fixture(scope="module")
def whole(material, tmp_path_factory):
    """The page with everything on it."""
    data, folder = material
    media = tmp_path_factory.mktemp("media")
    with DatasetReader(data) as reader:
        for clip_id in reader.clip_ids:
            soundfile.write(media / f"{clip_id}.wav", tone(220.0, duration_s=0.5).samples, 16_000)
    config = ReportConfig(data=data, missing=(0.0, 0.5), text_only=folder / "text", media=media, device="cpu")
    return write_report([folder / "seeds"], tmp_path_factory.mktemp("page") / "report.html", config)


def test_every_figure_is_on_the_page_and_drawn(whole):
    page = read_page(whole)

    assert set(page.figures) == OF_TRAINING | OF_PREDICTIONS | {"recordings", "ablation", "robustness", "clip"}
    check_figures_are_drawn(page)


def test_the_page_needs_nothing_from_outside_and_its_letters_stand_out(whole):
    page = read_page(whole)

    check_needs_nothing_from_outside(page)
    check_contrast_of_texts(page)


def test_the_numbers_are_those_of_the_evaluation(whole, material):
    from skesl import EvaluationConfig, evaluate_runs

    data, folder = material
    page = read_page(whole)
    expected = evaluate_runs([folder / "seeds"], data, EvaluationConfig(device="cpu", text_only=folder / "text"))
    rows = {row[0]: row[1:] for row in page.tables[0]}
    assert rows["metric"] == ["skesl", "sd", "95 % interval", "median", "majority", "text_only"]
    assert rows["mae"][0] == f"{expected.metrics['mae']:.4f}"
    assert rows["mae"][1] == f"{expected.sd['mae']:.4f}"
    assert page.headings[0] == "skesl report: seed-0, seed-1"


def test_the_worst_clips_are_the_worst_with_their_texts(whole, material):
    data, folder = material
    rows = [line.split(",") for line in (folder / "seeds" / "seed-0" / "predictions.csv").read_text().splitlines()[1:]]
    worst = sorted(rows, key=lambda row: -abs(float(row[1]) - float(row[2])))

    table = read_page(whole).table("clip")
    assert [row[0] for row in table] == [row[0] for row in worst[:10]]
    with DatasetReader(data) as reader:
        assert table[0][3] == reader.texts[reader.clip_ids.index(worst[0][0])]


def test_one_clip_shows_sound_pitch_face_and_attention(whole):
    shown = set(texts(read_page(whole).figures["clip"]))

    assert {"sound", "log-F0", "action units", "attention", "seconds", "audio", "vision", "valid"} <= shown
    assert any(text.startswith("AU") for text in shown)


def test_the_cells_of_the_confusions_are_counts_of_the_clips(whole, material):
    path = material[1] / "seeds" / "seed-0" / "predictions.csv"
    said, true = np.loadtxt(path, delimiter=",", skiprows=1, usecols=(1, 2)).T

    counts = sorted(int(text) for text in texts(read_page(whole).figures["confusion-2"]) if text.isdigit())
    polar = true != 0
    expected = [((true > 0) == t) & ((said > 0) == s) & polar for t in (False, True) for s in (False, True)]
    assert counts == sorted(int(cell.sum()) for cell in expected)


def test_without_the_dataset_the_page_shows_what_lies_in_the_run(material, tmp_path):
    run = material[1] / "seeds" / "seed-0"
    page = read_page(write_report([run], tmp_path / "report.html"))

    assert set(page.figures) == OF_TRAINING | OF_PREDICTIONS
    assert "where the dataset is given" in (tmp_path / "report.html").read_text()


def test_a_chosen_clip_and_no_ablation(material, tmp_path):
    data, folder = material
    config = ReportConfig(data=data, clip_id="clip_02", ablate=False, part=Split.VALID, device="cpu")
    page = read_page(write_report([folder / "text"], tmp_path / "report.html", config))

    assert page.captions["clip"].startswith("clip_02: label ")
    assert "ablation" not in page.figures
    with pytest.raises(InputError, match="expected a clip to show, got 'clip_99', which is not in it"):
        write_report([folder / "text"], tmp_path / "b.html", ReportConfig(data=data, clip_id="clip_99", device="cpu"))
    assert not (tmp_path / "b.html").exists()


def test_a_pretrained_run_has_its_curve(material, tmp_path):
    page = read_page(write_report([material[1] / "pretrained"], tmp_path / "report.html"))

    assert set(page.figures) == {"training-loss"}


def test_names_are_never_taken_for_html(material, tmp_path):
    run = shutil.copytree(material[1] / "seeds" / "seed-0", tmp_path / "a<b>&c")
    settings = json.loads((run / "config.json").read_text())
    settings["data"]["name"] = "<script>alert(1)</script>"
    (run / "config.json").write_text(json.dumps(settings))

    page = read_page(write_report([run], tmp_path / "report.html"))
    assert page.headings[0] == "skesl report: a<b>&c"
    assert "<script>" not in (tmp_path / "report.html").read_text()


def test_an_existing_page_is_replaced_only_when_asked(material, tmp_path):
    run, page = material[1] / "seeds" / "seed-0", tmp_path / "report.html"
    page.write_text("mine")

    with pytest.raises(OutputExistsError):
        write_report([run], page)
    assert page.read_text() == "mine"
    write_report([run], page, overwrite=True)
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html"]


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="expected a run folder"):
        write_report([tmp_path], tmp_path / "report.html")


def test_the_same_runs_give_the_same_page(material, tmp_path):
    run = material[1] / "seeds" / "seed-0"
    one, other = (write_report([run], tmp_path / f"{name}.html").read_text() for name in "ab")

    assert one == other


def test_a_headless_browser_draws_every_figure_without_an_error(whole, tmp_path):
    check_in_browser(whole, tmp_path)


def test_the_numbers_that_choose_the_epoch_of_the_challenges_have_curves(material, tmp_path):
    lines = [
        {"loss": 1.0, "mer23_combined": 0.1, "mer23_f1": 0.2, "mer23_mse": 0.4, "mimic_pearson": 0.3},
        {"loss": 0.5, "mer23_combined": 0.2, "mer23_f1": 0.3, "mer23_mse": 0.4, "mimic_pearson": 0.5},
    ]
    run = shutil.copytree(material[1] / "pretrained", tmp_path / "run")
    (run / "metrics.jsonl").write_text(
        "".join(json.dumps({"epoch": epoch, **line}) + "\n" for epoch, line in enumerate(lines, start=1))
    )

    page = read_page(write_report([run], tmp_path / "report.html"))

    assert page.captions["training-score"].endswith("epoch by epoch (mer23_combined)")
    assert page.captions["training-F1"].endswith("epoch by epoch (mer23_f1)")
    assert page.captions["training-correlation"].endswith("epoch by epoch (mimic_pearson)")


@pytest.mark.parametrize(
    ("task", "axis"),
    [
        (Task.example("regression"), "mean absolute error"),
        (Task.example("class"), "mean of 1 - probability of the true class"),
    ],
)
def test_the_axis_of_the_recordings_says_which_error_it_is(task, axis, material, tmp_path):
    with DatasetReader(material[0]) as reader:
        ids = reader.clip_ids[:4]
    scores = np.full((4, task.n_column), 1 / task.n_column)
    predictions = Predictions(clip_ids=ids, scores=scores, labels=np.zeros((4, 1)), task=task)

    blocks = recordings(predictions, ReportConfig(data=material[0]))

    page = tmp_path / "page.html"
    page.write_text(html_page("one", "figure", [PageSection(title="Recordings", blocks=tuple(blocks))]))
    assert axis in texts(read_page(page).figures["recordings"])
