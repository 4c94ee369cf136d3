"""extract-frames: which files, which settings, what is printed; and a folder of everything that can be wrong."""

import json

import cv2
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from mmfeat import DatasetReader, StreamStatus, validate
from mmfeat.testing import shown_number, tone, write_example_video, write_landmark_csv
from mmfeat_cli.main import mmfeat as group


def run(command, *arguments):
    return CliRunner().invoke(group, [command, *(str(argument) for argument in arguments)])


def extract(*arguments):
    return run("extract-frames", *arguments)


def numbers(path, index=0):
    with DatasetReader(path) as reader:
        return [shown_number(image) for image in reader.read_frames("frames", index).decode()]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Return a folder of three videos in two folders, and a text beside them."""
    folder = tmp_path_factory.mktemp("clips")
    for name in ("one/a.mp4", "one/b.mkv", "two/c.AVI"):
        (folder / name).parent.mkdir(exist_ok=True)
        write_example_video(folder / name, n_frame=50)
    (folder / "one/readme.txt").write_text("No video.")
    return folder


@pytest.fixture(scope="module")
def openface(clips, tmp_path_factory):
    """Return a folder with an OpenFace file for each clip."""
    folder = tmp_path_factory.mktemp("openface")
    for name in ("one/a", "one/b", "two/c"):
        (folder / name).parent.mkdir(exist_ok=True)
        write_landmark_csv(folder / f"{name}.csv", [(32, 32)] * 50)
    return folder


def test_a_folder_becomes_a_file_of_frames_alone(clips, out):
    result = extract(clips, "--out", out, "--size", 64)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 3 clips (frames 3)\n")
    assert validate(out, level="content").ok
    with DatasetReader(out) as reader:
        assert reader.clip_ids == ("one/a", "one/b", "two/c")
        assert reader.stream_names == ("frames",)
    assert [numbers(out, index) for index in range(3)] == [[3, 9, 15, 21, 28, 34, 40, 46]] * 3


@pytest.mark.parametrize(
    ("options", "expected"),
    [(["--n-frames", 2], [12, 37]), (["--fps", 2], [0, 12, 25, 37]), (["--n-frames", 1, "--quality", 60], [25])],
)
def test_options_choose_the_frames(clips, out, options, expected):
    assert extract(clips / "one/a.mp4", "--out", out, "--size", 64, *options).exit_code == 0
    assert numbers(out) == expected


def test_patterns_choose_the_files(clips, out):
    assert extract(clips, "--out", out, "--include", "*.m*", "--exclude", "b.*").exit_code == 0
    with DatasetReader(out) as reader:
        assert reader.clip_ids == ("one/a",)


def test_a_face_crop_takes_the_files_by_the_ids_of_the_clips(clips, openface, out):
    result = extract(clips, "--out", out, "--crop", "face", "--openface", openface, "--size", 32)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 3 clips (frames 3)\n")
    with DatasetReader(out) as reader:
        assert reader.info("frames").config["crop"] == "face"


def test_of_several_faces_one_is_chosen(clips, tmp_path):
    small = write_landmark_csv(tmp_path / "small.csv", [(20, 20)] * 50, side=10).read_text().splitlines()
    large = write_landmark_csv(tmp_path / "large.csv", [(40, 40)] * 50, side=30).read_text().splitlines()
    rows = [
        row
        for pair in zip(small[1:], [row.replace(", 0,", ", 1,", 1) for row in large[1:]], strict=True)
        for row in pair
    ]
    (tmp_path / "a.csv").write_text("\n".join([small[0], *rows]))

    def crops(*options):
        out = tmp_path / "out.h5"
        result = extract(
            *(clips / "one/a.mp4", "--out", out, "--overwrite", "--crop", "face", "--openface", tmp_path, *options)
        )
        assert (result.exit_code, result.stderr) == (0, "")
        with DatasetReader(out) as reader:
            return reader.read_frames("frames", 0).jpegs

    first, second = crops("--face", "id=0"), crops("--face", "id=1")
    assert first != second
    assert crops() == first  # of equally confident faces that with the lowest number
    assert crops("--face", "largest") == second
    assert (
        "unknown face policy 'tallest'"
        in extract(
            *(clips, "--out", tmp_path / "no.h5", "--crop", "face", "--openface", tmp_path, "--face", "tallest")
        ).stderr
    )


def test_an_openface_file_that_is_not_there_is_told_and_the_others_go_on(clips, openface, out, tmp_path):
    folder = tmp_path / "openface/one"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_bytes((openface / "one/a.csv").read_bytes())
    (tmp_path / "openface/two").mkdir()
    (tmp_path / "openface/two/c_of_details.txt").touch()
    result = extract(clips, "--out", out, "--crop", "face", "--openface", tmp_path / "openface")
    assert result.exit_code == 1
    assert f"{folder / 'b.csv'}: expected an OpenFace csv, found none" in result.stdout
    with DatasetReader(out) as reader:
        assert reader.status("frames") == (StreamStatus.OK, StreamStatus.MISSING_SOURCE, StreamStatus.NO_FACE)


def test_a_manifest_names_videos_and_openface_files(clips, openface, out, tmp_path):
    rows = ["clip_id,audio,video,openface,text", f"x,none.wav,{clips}/one/a.mp4,{openface}/one/a.csv,Hello."]
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    soundfile.write(tmp_path / "none.wav", tone(200.0, duration_s=0.2).samples, 16_000)
    result = extract("--manifest", tmp_path / "clips.csv", "--out", out, "--crop", "face")
    assert (result.exit_code, result.stdout) == (0, f"{out}: 1 clips (frames 1)\n")
    with DatasetReader(out) as reader:
        assert reader.texts == ("Hello.",)


def test_two_workers_give_the_same_content(clips, out, tmp_path):
    for path, n_jobs in ((out, 1), (tmp_path / "other.h5", 2)):
        assert extract(clips, "--out", path, "-j", n_jobs).exit_code == 0
    hashes = [
        json.loads(run("describe", path, "--json").stdout)["content_sha256"] for path in (out, tmp_path / "other.h5")
    ]
    assert hashes[0] == hashes[1]


def test_a_preview_is_drawn(clips, out, tmp_path):
    picture = tmp_path / "sheet.png"
    result = extract(clips, "--out", out, "--preview", picture)
    assert result.stdout == f"{out}: 3 clips (frames 3)\n{picture}: 3 clips\n"
    assert cv2.imread(str(picture)) is not None
    again = extract(clips, "--out", tmp_path / "b.h5", "--preview", picture, "--json")
    assert (again.exit_code, again.stdout) == (3, "")
    assert not (tmp_path / "b.h5").exists()
    again = extract(clips, "--out", out, "--preview", picture, "--json", "--overwrite")
    assert json.loads(again.stdout)["n_ok"] == {"frames": 3}
    assert again.stderr == f"{picture}: 3 clips\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected PATHS or --manifest, one of the two"),
        (["a.mp4", "--manifest", "a.csv"], "expected PATHS or --manifest, one of the two"),
        (["a.mp4", "--openface", "."], "--openface is for --crop face"),
        (["a.mp4", "--face", "largest"], "--face is for --crop face"),
        (["{clips}", "--crop", "face"], "--crop face needs --openface, or a manifest with the column openface"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(clips, out, arguments, message):
    result = extract(*(argument.format(clips=clips) for argument in arguments), "--out", out)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--n-frames", 8, "--fps", 2], "n_frames (8) and fps (2) exclude each other; give one"),
        (["--size", 0], "size must be from 8 to 4096 pixels, got 0"),
        (["--preview", "sheet.pdf"], "sheet.pdf: expected a picture ending in .png, .jpg, .jpeg; rename it"),
    ],
)
def test_settings_out_of_range_are_refused(clips, out, options, message):
    result = extract(clips, "--out", out, *options)
    assert (result.exit_code, result.stderr) == (3, f"error: {message}\n")
    assert not out.exists()


def test_everything_that_can_be_wrong_is_named_and_the_rest_is_built(tmp_path, out):
    folder = tmp_path / "wrong"
    folder.mkdir()
    whole = write_example_video(folder / "good.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mp4").touch()
    (folder / "random.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    soundfile.write(folder / "sound.wav", tone(200.0, duration_s=0.2).samples, 16_000)
    (folder / "sound.wav").rename(folder / "sound.mp4")
    cv2.imwrite(str(folder / "picture.png"), np.zeros((32, 32, 3), dtype=np.uint8))
    (folder / "picture.png").rename(folder / "picture.mp4")
    result = extract(folder, "--out", out, "--json")
    assert result.exit_code == 1
    codes = {row["clip_id"]: row["code"] for row in json.loads(result.stdout)["failures"]}
    assert codes == {
        "cut": "decode_error",
        "empty": "empty",
        "picture": "missing_source",
        "random": "decode_error",
        "sound": "missing_source",
    }
    assert validate(out, level="content").ok


def test_nothing_but_failures_is_refused(tmp_path, out):
    (tmp_path / "empty.mp4").touch()
    result = extract(tmp_path / "empty.mp4", "--out", out)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == f"error: {tmp_path / 'empty.mp4'}: expected a video, got a file of 0 bytes; copy it again\n"


def test_build_takes_frames_where_it_is_told_to(clips, out, tmp_path):
    (tmp_path / "clips.csv").write_text(f"clip_id,video,text\na,{clips}/one/a.mp4,Hello.\n")
    settings = ["--set", "frames.size=64", "--set", 'streams=["frames"]']
    result = run("build", tmp_path / "clips.csv", "--out", out, "--frames", *settings)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 1 clips (frames 1)\n")
    assert numbers(out) == [3, 9, 15, 21, 28, 34, 40, 46]
