# make demo: install, then the whole line on the example clips. make test: lint, types and all tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
export TOKENIZERS_PARALLELISM := false

.PHONY: help install demo test check lint types tests test-slow real report-check bench bench-extraction bench-openface bench-reading bench-archives bench-loading bench-training bench-gpu bench-bootstrap bench-dialogues bench-retrieval results format clean

help:
	@echo "make demo       build, train and evaluate on the example clips (about 4 minutes after the install)"
	@echo "make test       lint, types and all tests"
	@echo "make test-slow  tests that install, kill builds at fifty moments, and write a million clips"
	@echo "make real       the whole line on real clips; needs MMFEAT_REAL_DATA=FOLDER"
	@echo "make report-check  the pages of mmfeat report and skesl report, in a headless browser where one is installed; pictures in report-check/"
	@echo "make bench-extraction  speed and error of the audio features, into README (about 3 minutes)"
	@echo "make bench-openface    speed and error of reading OpenFace files, into README (about 1 minute)"
	@echo "make bench-reading     speed of writing and reading dataset files, into README (about 3 minutes)"
	@echo "make bench-archives    size and cost of compressed files, needs MMFEAT_REAL_DATA (about 3 minutes)"
	@echo "make bench-loading     speed and equality of the batches for training (about 3 minutes)"
	@echo "make bench-training    speed and error of training, into README (about 10 minutes; texts of MMFEAT_REAL_DATA)"
	@echo "make bench-gpu         speed of training on a GPU and what bounds it (about 10 minutes; needs a CUDA device)"
	@echo "make bench-dialogues   speed of encoding a dialogue once for all its utterances (about 1 minute)"
	@echo "make bench-retrieval   whether held-out videos find their sound; needs MMFEAT_REAL_DATA (about half an hour)"
	@echo "make bench-bootstrap   speed of the intervals of skesl evaluate, printed"
	@echo "make bench      all benchmarks but the one on a GPU and the one of retrieval"
	@echo "make results    every method on real data over 5 seeds, into benchmarks/RESULTS.md; needs MMFEAT_REAL_DATA (hours)"
	@echo "make format     format the code"
	@echo "make clean      remove what was installed and built"

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mmfeat needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; call: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once, a few minutes)"
	$(PIP_INSTALL) "pip>=24" "setuptools>=77"
	$(PIP_INSTALL) --no-build-isolation -e '.[train,minilm,dev]'
	@touch $@

install: $(VENV)/installed

demo: install
	$(BIN)/python examples/demo.py --out $(DEMO)

test: check
check: lint types tests

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy mmfeat skesl cli examples benchmarks

# several processes, each with one thread: more threads than cores slow torch down manyfold
tests: export OMP_NUM_THREADS := 1
tests: install
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-slow: install
	$(BIN)/python -m pytest -m slow

real: install
	$(BIN)/python -m pytest -m "real and not slow" -s

report-check: export REPORT_PICTURES := report-check
report-check: install
	$(BIN)/python -m pytest tests/mmfeat/data_report/test_data_report.py tests/skesl/test_report.py -rs

bench-extraction: install
	$(BIN)/python benchmarks/extraction.py --write

bench-openface: install
	$(BIN)/python benchmarks/openface_parsing.py --write

bench-reading: install
	$(BIN)/python benchmarks/reading.py --write

bench-archives: install
	$(BIN)/python benchmarks/archives.py --write

bench-loading: install
	$(BIN)/python benchmarks/loading.py --write

bench-training: install
	$(BIN)/python benchmarks/training.py --write

bench-gpu: install
	$(BIN)/python benchmarks/gpu_training.py --write

bench-bootstrap: install
	$(BIN)/python benchmarks/bootstrap.py

bench-dialogues: install
	$(BIN)/python benchmarks/dialogue_encoding.py --write

bench-retrieval: install
	$(BIN)/python benchmarks/av_retrieval.py --write

bench: bench-extraction bench-openface bench-reading bench-archives bench-loading bench-training bench-bootstrap \
	bench-dialogues

results: install
	$(BIN)/python benchmarks/results.py --write

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info $(DEMO) report-check
