"""The back end command: small programs in the place of a recogniser."""

import json
import sys
import threading
import time

import pytest

from mmfeat import ClipError, ConfigError, MissingToolError, TimedWord, TranscriberOptions, open_transcriber
from mmfeat.testing import tone

SOUND = tone(200.0, duration_s=0.5)


def opened(program, *arguments, **options):
    command = [sys.executable, "-c", program, *arguments]
    return open_transcriber("command", TranscriberOptions(command=command, **options))


def test_the_program_gets_a_wav_file_and_prints_the_text():
    program = "import sys, wave; w = wave.open(sys.argv[1]); print(w.getframerate(), w.getnframes(), w.getsampwidth())"
    found = opened(program, "{audio}", language="en").transcribe(SOUND)
    assert (found.text, found.language, found.words) == ("16000 8000 2", "en", ())


def test_what_goes_to_the_error_output_is_no_text():
    program = "import sys; print('loading', file=sys.stderr); print('hello')"
    assert opened(program, "{audio}").transcribe(SOUND).text == "hello"


def test_an_object_of_json_may_say_more():
    record = {
        "text": "Grüß Gott",
        "language": "de-AT",
        "confidence": 0.5,
        "words": [{"text": "Grüß", "start_s": 0, "stop_s": 0.25}],
    }
    program = "import sys; open(sys.argv[2], 'w', encoding='utf-8').write(sys.argv[3]); print('not this')"
    found = opened(program, "{audio}", "{output}", json.dumps(record), language="de").transcribe(SOUND)
    assert (found.text, found.language, found.confidence) == ("Grüß Gott", "de-AT", 0.5)
    assert found.words == (TimedWord(text="Grüß", start_s=0.0, stop_s=0.25),)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import sys; sys.exit('no model')", "ended with code 1, last line 'no model'"),
        ("import os; os.abort()", r"crashed \(SIGABRT\)"),
        ("print('{broken')", "expected a text, or an object of JSON with text and words: Expecting property name"),
        ("print('{}')", "expected a text, or an object of JSON with text and words: text: expected a text, got None"),
        ("import sys; sys.stdout.buffer.write(bytes([255]))", "expected its answer as text in utf-8"),
    ],
)
def test_a_failure_is_a_reason(program, message):
    with pytest.raises(ClipError, match=message):
        opened(program, "{audio}").transcribe(SOUND)


def test_an_output_that_was_not_written_is_a_reason():
    with pytest.raises(ClipError, match="expected its answer as text in utf-8: No such file or directory"):
        opened("", "{audio}", "{output}").transcribe(SOUND)


def test_a_program_that_hangs_is_ended():
    with pytest.raises(ClipError, match="was killed after"):
        opened("import time; time.sleep(60)", "{audio}", timeout_s=0.2).transcribe(SOUND)


def test_closing_ends_what_runs(tmp_path):
    program = "import pathlib, sys, time; pathlib.Path(sys.argv[2]).touch(); time.sleep(60)"
    transcriber = opened(program, "{audio}", str(tmp_path / "runs"))
    errors = []

    def transcribe():
        try:
            transcriber.transcribe(SOUND)
        except ClipError as error:
            errors.append(str(error))

    thread = threading.Thread(target=transcribe)
    thread.start()
    end = time.monotonic() + 20
    while not (tmp_path / "runs").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    transcriber.close()
    thread.join(20)
    assert "crashed (SIGKILL)" in errors[0]


def test_a_wrong_command_line_is_refused_at_once():
    with pytest.raises(ConfigError, match=r"expected a command line with \{audio\}, got \[\]"):
        open_transcriber("command")
    with pytest.raises(ConfigError, match=r"expected a command line with \{audio\}, got \['echo', 'hi'\]"):
        open_transcriber("command", TranscriberOptions(command=["echo", "hi"]))
    with pytest.raises(MissingToolError, match="no-such-program: expected a program, found none"):
        open_transcriber("command", TranscriberOptions(command=["no-such-program", "{audio}"]))
    with pytest.raises(ConfigError, match="timeout_s must be more than 0, got 0"):
        opened("", "{audio}", timeout_s=0.0)
