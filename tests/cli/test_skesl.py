import csv
import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from mmfeat_cli.skesl import skesl

SMALL = ["--set", "method.n_inner=8", "--set", "method.n_layers=2"]
TRAINING = ["--epochs", "1", "--batch-size", "4", "--lr", "1e-3", "--device", "cpu", "--seed", "3"]
pytestmark = pytest.mark.usefixtures("one_thread")


def run_command(*arguments):
    return CliRunner().invoke(skesl, [str(argument) for argument in arguments])


def run_process(code):
    """Run Python code in a new process."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def only_line(stderr):
    """Return the only error line; everything else on stderr would be a traceback or noise."""
    (line,) = stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def line(tmp_path_factory, data, encoder):
    """The straight line: pretrain, then finetune from it; the folders and both results."""
    folder = tmp_path_factory.mktemp("runs")
    pretraining = run_command(
        "pretrain", data, "--run", folder / "pretrained", "--text-encoder", encoder, *TRAINING, *SMALL
    )
    tuning = run_command(
        "finetune", data, "--run", folder / "tuned", "--from", folder / "pretrained", *TRAINING, "--label", "sentiment"
    )
    return folder, pretraining, tuning


@pytest.fixture
def tuned(line, tmp_path):
    """A copy of the fine-tuned run, to write into."""
    return shutil.copytree(line[0] / "tuned", tmp_path / "tuned")


def test_pretrain_and_finetune_end_with_one_line_about_the_run(line):
    folder, pretraining, tuning = line

    assert pretraining.exit_code == 0, pretraining.output
    assert tuning.exit_code == 0, tuning.output
    assert pretraining.stdout == f"{folder / 'pretrained'}: skesl pretrain on 6 clips, epoch 1 of 1 kept\n"
    assert tuning.stdout.startswith(f"{folder / 'tuned'}: skesl finetune on 6 clips, epoch 1 of 1 kept (valid mae ")
    assert len(tuning.stdout.splitlines()) == 1


def test_options_reach_the_settings_of_the_run(line):
    settings = json.loads((line[0] / "tuned" / "config.json").read_text())

    train = {name: settings["train"][name] for name in ("n_epochs", "batch_size", "learning_rate", "seed", "device")}
    assert train == {"n_epochs": 1, "batch_size": 4, "learning_rate": 1e-3, "seed": 3, "device": "cpu"}
    assert settings["method_config"]["n_inner"] == 8
    assert settings["from_run"] == str(line[0] / "pretrained")


def test_evaluate_prints_a_table_or_json(tuned, data):
    table = run_command("evaluate", tuned, data, "--device", "cpu")
    document = run_command("evaluate", tuned, data, "--device", "cpu", "--json")

    assert table.exit_code == document.exit_code == 0
    values = json.loads(document.stdout)
    assert (values["part"], values["n_clip"], values["method"]) == ("test", 3, "skesl")
    assert table.stdout.startswith("skesl on example, test part, 3 clips, label sentiment\n")
    assert f"{values['metrics']['mae']:.4f}" in table.stdout


def test_evaluate_takes_another_part(tuned, data):
    result = run_command("evaluate", tuned, data, "--split", "train", "--device", "cpu", "--json")

    values = json.loads(result.stdout)
    assert (values["part"], values["n_clip"]) == ("train", 6)


def test_evaluate_prints_latex_and_csv(tuned, data):
    arguments = ["evaluate", tuned, data, "--device", "cpu", "--resamples", "100", "--split", "train"]
    latex, table = (run_command(*arguments, shape) for shape in ("--latex", "--csv"))

    assert latex.stdout.startswith(
        "\\begin{tabular}{lrrrr}\n\\toprule\nmetric & skesl & 95 \\% interval & median & majority"
    )
    rows = {row["metric"]: row for row in csv.DictReader(table.stdout.splitlines())}
    values = json.loads(run_command(*arguments, "--json").stdout)
    assert float(rows["mae"]["skesl"]) == values["metrics"]["mae"]
    assert float(rows["mae"]["95 % interval_low"]) == values["intervals"]["mae"][0]
    assert table.stderr.splitlines() == [
        "warning: 6 recordings are few: the intervals are narrower than they should be",
        "warning: these are clips of the train part; the numbers say nothing of new ones",
    ]


def test_evaluate_prints_every_table_as_latex_or_csv(tuned, data):
    arguments = ["evaluate", tuned, data, "--device", "cpu", "--resamples", "100", "--ablate", "--missing", ".5"]
    for option, comment in (("--latex", "%"), ("--csv", "#")):
        lines = run_command(*arguments, option).stdout.splitlines()
        titles = [line for line in lines if line.startswith(f"{comment} ")]
        assert titles[0].startswith(f"{comment} acc2=has0")
        assert titles[1:] == [f"{comment} {title}" for title in ("control", "missing frames", "missing modalities")]
        assert any(line.startswith(("shuffled_vision", r"shuffled\_vision")) for line in lines)


def test_evaluate_takes_controls_and_gaps_in_lists(tuned, data):
    options = ["--ablate", "--missing", "0,.25,…,1", "--text-only", tuned, "--resamples", "100", "--json"]
    values = json.loads(run_command("evaluate", tuned, data, "--device", "cpu", *options).stdout)

    assert list(values["robustness"]["frames"]) == ["0", "0.25", "0.5", "0.75", "1"]
    assert {"text_only", "without_audio", "shuffled_text"} <= set(values["rows"])


@pytest.fixture
def theirs(data, tmp_path):
    """Predictions of another program for the test part."""
    path = tmp_path / "theirs.csv"
    path.write_text("clip_id,prediction\nclip_03,1.5\nclip_07,-0.5\nclip_11,0.25\n")
    return path


def test_evaluate_takes_predictions_of_another_program(theirs, data):
    result = run_command("evaluate", "--predictions", theirs, data, "--label", "sentiment", "--split", "test", "--json")

    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert (values["n_clip"], values["sources"]) == (3, [str(theirs)])
    assert set(values["intervals"]) == set(values["metrics"])


def test_faults_in_predictions_are_listed(theirs, data):
    theirs.write_text(theirs.read_text().replace("clip_07,-0.5", "clip_7,-0.5"))
    result = run_command("evaluate", "--predictions", theirs, data)

    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        f"error: {theirs}: 2 fault(s) in the predictions; correct each:",
        f"  row 3: clip 'clip_7' is not in {data}",
        "  no row for clip 'clip_07' of the test part",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected RUNS or --predictions, one of the two"),
        (("--predictions", "x.csv", "--ablate"), "--ablate and --missing predict anew"),
        (("--predictions", "x.csv", "--missing", ".5"), "--ablate and --missing predict anew"),
        (("run",), "--label goes with --predictions"),
        (("--predictions", "x.csv", "--json", "--latex"), "expected --json or --latex, one of the two"),
        (("--predictions", "x.csv", "--csv", "--json"), "expected --json or --csv, one of the two"),
        (("run", "--missing", "0,2"), "--missing: expected shares from 0 to 1"),
        (("run", "--missing", "0,…,1"), "--missing: expected shares from 0 to 1"),
    ],
)
def test_options_of_evaluate_that_do_not_go_together_are_refused(data, arguments, message):
    label = ["--label", "sentiment"] if arguments == ("run",) else []
    result = run_command("evaluate", *arguments, data, *label)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_compare_ends_with_a_plain_sentence(tuned, theirs, data):
    result = run_command("compare", theirs, tuned, data, "--device", "cpu", "--resamples", "100", "--metric", "mae")
    document = run_command("compare", theirs, tuned, data, "--device", "cpu", "--resamples", "100", "--json")

    assert result.exit_code == document.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].startswith("no difference can be shown: 3 recording(s) are too few")
    values = json.loads(document.stdout)
    assert (values["metric"], values["exceeds_noise"]) == ("acc2_non0", False)
    assert set(values["differences"]["mae"]) == {
        "first", "second", "difference", "interval", "p", "is_testable", "exceeds_noise",
    }  # fmt: skip


def test_report_writes_a_page_and_says_where(tuned, data, tmp_path):
    page = tmp_path / "pages" / "report.html"
    result = run_command("report", tuned, data, "--out", page, "--device", "cpu", "--no-ablate")

    assert result.exit_code == 0, result.output
    assert result.stdout == f"{page}\n"
    assert 'id="clip"' in page.read_text()
    alone = run_command("report", tuned, "--out", page, "--overwrite")
    assert alone.exit_code == 0
    assert 'id="clip"' not in page.read_text()
    assert "expected RUNS before DATA, got none" in run_command("report", data).stderr


def test_report_without_matplotlib_names_its_extra(tuned):
    code = WITHOUT_TORCH.replace("'torch'", "'matplotlib'").replace('"torch"', '"matplotlib"')
    result = run_process(code.format(argv=["skesl", "report", str(tuned), "--out", str(tuned / "report.html")]))

    assert result.returncode == 4
    assert only_line(result.stderr) == (
        "error: a figure needs the package 'matplotlib', which is not installed; pip install 'mmfeat[report]'"
    )


def test_predict_writes_all_clips_into_the_run(tuned, data):
    result = run_command("predict", tuned, data, "--device", "cpu")

    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tuned / 'predictions.csv'}: 12 clips\n"
    with (tuned / "predictions.csv").open(newline="") as handle:
        assert [row["clip_id"] for row in csv.DictReader(handle)] == [f"clip_{index:02d}" for index in range(12)]


def test_predict_writes_elsewhere_but_replaces_a_file_only_when_asked(tuned, data, tmp_path):
    target = tmp_path / "new" / "folder" / "predictions.csv"
    arguments = ["predict", tuned, data, "--split", "valid", "--device", "cpu", "--out", target]

    assert run_command(*arguments).exit_code == 0
    assert len(target.read_text().splitlines()) == 1 + 3
    target.write_text("mine")
    refused = run_command(*arguments)
    assert refused.exit_code == 3
    assert only_line(refused.stderr).startswith(f"error: {target}: expected a new output, but it exists")
    assert target.read_text() == "mine"
    assert run_command(*arguments, "--overwrite").exit_code == 0
    assert len(target.read_text().splitlines()) == 1 + 3


def test_predict_writes_parquet_that_evaluate_reads_and_refuses_it_at_once_without_pyarrow(
    tuned, data, tmp_path, monkeypatch
):
    pytest.importorskip("pyarrow")
    target = tmp_path / "said.parquet"
    arguments = ["predict", tuned, data, "--split", "test", "--device", "cpu", "--out", target]

    assert run_command(*arguments).stdout == f"{target}: 3 clips\n"
    evaluated = [
        json.loads(run_command("evaluate", *source, data, "--json", "--resamples", "100").stdout)["metrics"]
        for source in (["--predictions", target], [tuned])
    ]
    assert evaluated[0]["mae"] == pytest.approx(evaluated[1]["mae"], abs=1e-12)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("skesl.predict_run", lambda *_, **__: pytest.fail("it predicted first"))
    refused = run_command(*arguments, "--overwrite")
    assert refused.exit_code == 4
    assert only_line(refused.stderr).endswith("not installed; pip install 'mmfeat[parquet]'")


@pytest.mark.parametrize("command", ["pretrain", "finetune"])
def test_an_existing_run_is_replaced_only_when_asked(command, tuned, data, encoder):
    arguments = [command, data, "--run", tuned, "--text-encoder", encoder, *TRAINING, *SMALL]
    before = (tuned / "weights.safetensors").read_bytes()

    refused = run_command(*arguments)
    assert refused.exit_code == 3
    assert only_line(refused.stderr).startswith(f"error: {tuned}: expected a new output, but it exists")
    assert (tuned / "weights.safetensors").read_bytes() == before
    assert run_command(*arguments, "--overwrite").exit_code == 0
    assert (tuned / "weights.safetensors").read_bytes() != before


def test_a_mistyped_device_leaves_the_run_that_was_to_be_replaced(tuned, data, encoder):
    before = (tuned / "weights.safetensors").read_bytes()

    result = run_command("finetune", data, "--run", tuned, "--text-encoder", encoder, "--device", "gpu", "--overwrite")

    assert result.exit_code == 3
    assert (tuned / "weights.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "lmf"], "unknown method 'lmf'; known: skesl, text_only"),
        (["--set", "train.epochs=3"], "unknown key 'epochs'; known: n_epochs, batch_size"),
        (["--set", "method.layers=3"], "unknown key 'layers'; known: n_layers, share_layers"),
        (["--set", "trian.seed=3"], "unknown section 'trian'; known: train, method"),
        (["--epochs", "0"], "n_epochs must be at least 1, got 0"),
        (["--device", "gpu"], "device: expected auto or one of cpu"),
        (["--text-encoder", "/no/such/encoder"], "text encoder '/no/such/encoder': expected a folder"),
        (["--from", "/no/such/run"], "/no/such/run: expected a run folder with config.json"),
        (["--label", "joy"], "no label 'joy'; known: sentiment"),
        (["--split-scheme", "folds"], "no split scheme 'folds'; known: default"),
        (["--config", "/no/such/file.toml"], "/no/such/file.toml: expected a readable TOML file"),
    ],
)
def test_a_wrong_choice_ends_with_its_reason_and_code_3(arguments, message, data, encoder, tmp_path):
    result = run_command("finetune", data, "--run", tmp_path / "run", "--text-encoder", encoder, *arguments)

    assert result.exit_code == 3
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "run").exists()


def test_a_method_without_pretraining_is_refused_with_code_3(data, encoder, tmp_path):
    result = run_command(
        "pretrain", data, "--run", tmp_path / "run", "--method", "text_only", "--text-encoder", encoder
    )

    assert result.exit_code == 3
    assert only_line(result.stderr) == "error: method 'text_only' has no stage 'pretrain'; its stages: finetune"


def test_a_missing_dataset_is_refused_with_code_3(encoder, tmp_path):
    result = run_command("pretrain", tmp_path / "no.h5", "--run", tmp_path / "run", "--text-encoder", encoder)

    assert result.exit_code == 3
    assert only_line(result.stderr).startswith(f"error: {tmp_path / 'no.h5'}: expected a dataset file, found none")


def test_a_pretrained_run_cannot_be_evaluated(line, data):
    result = run_command("evaluate", line[0] / "pretrained", data)

    assert result.exit_code == 3
    assert "expected a fine-tuned run, got stage 'pretrain'; use skesl finetune" in only_line(result.stderr)


@pytest.mark.parametrize(
    "arguments", [["finetune"], ["finetune", "data.h5"], ["evaluate", "run", "data.h5", "--split", "dev"], ["fit"]]
)
def test_a_wrong_command_line_is_a_usage_error_with_code_2(arguments):
    result = run_command(*arguments)

    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")


WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name=name)

sys.meta_path.insert(0, NoTorch)
sys.argv = {argv!r}
from mmfeat_cli.skesl import main
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["pretrain", "data.h5", "--run", "run"],
        ["finetune", "data.h5", "--run", "run"],
        ["evaluate", "run", "data.h5"],
        ["compare", ".", ".", "data.h5"],
        ["predict", "run", "data.h5"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_without_torch_a_command_names_the_extra_in_one_line_with_code_4(arguments):
    result = run_process(WITHOUT_TORCH.format(argv=["skesl", *arguments]))

    assert result.returncode == 4
    assert result.stdout == ""
    assert only_line(result.stderr) == (
        "error: training and evaluating with skesl needs the package 'torch', which is not installed; "
        "pip install 'mmfeat[train]'"
    )


def test_predictions_of_another_program_need_no_torch(theirs, data):
    result = run_process(WITHOUT_TORCH.format(argv=["skesl", "evaluate", "--predictions", str(theirs), str(data)]))

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("predictions on example, test part, 3 clips")


@pytest.mark.parametrize("command", [[], ["pretrain"], ["finetune"], ["evaluate"], ["compare"], ["predict"]])
def test_help_needs_no_torch(command):
    result = run_process(WITHOUT_TORCH.format(argv=["skesl", *command, "--help"]))

    assert result.returncode == 0
    assert result.stderr == ""
    assert result.stdout.startswith(" ".join(["Usage: skesl", *command]))


def test_the_console_script_evaluates_in_a_process_of_its_own(tuned, data):
    argv = ["skesl", "evaluate", str(tuned), str(data), "--device", "cpu", "--json"]
    result = run_process(f"import sys; sys.argv = {argv!r}; from mmfeat_cli.skesl import main; main()")

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["n_clip"] == 3


@pytest.mark.parametrize(
    ("option", "value"),
    [("--missing", "0,.5"), ("--text-only", "run"), ("--clip", "a"), ("--media", "folder"), ("--split", "valid")],
)
def test_options_of_report_that_are_about_data_need_it(option, value, tuned, tmp_path):
    result = run_command("report", tuned, option, value, "--out", tmp_path / "report.html")

    assert result.exit_code == 2
    assert f"{option}: about DATA, the dataset file; expected it behind RUNS, got none" in result.stderr
    assert not (tmp_path / "report.html").exists()
