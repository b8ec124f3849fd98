"""The log that is kept: bounded, written by several processes, and the end of it read back."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from mailape.core.logfile import BoundedFile
from mailape.core.logs import JsonForm, TextForm
from mailape.system import log

WRITER = """
import logging, sys
from mailape.core.logfile import BoundedFile
handler = BoundedFile(sys.argv[1], most=20_000)
for number in range(400):
    text = f"{sys.argv[2]} {number} " + "x" * 80
    handler.emit(logging.LogRecord("mailape", logging.INFO, "", 1, text, (), None))
"""


def record(level: int, text: str, fault: Exception | None = None) -> logging.LogRecord:
    info = (type(fault), fault, fault.__traceback__) if fault else None
    return logging.LogRecord("mailape.delivery", level, "", 1, text, (), info)


@pytest.fixture
def kept(tmp_path: Path, settings) -> Path:
    settings.LOG_KEPT = str(tmp_path / "log" / "mailape.log")
    return Path(settings.LOG_KEPT)


def write(file: Path, form: logging.Formatter, *records: logging.LogRecord) -> None:
    handler = BoundedFile(str(file))
    handler.setFormatter(form)
    for one in records:
        handler.emit(one)
    handler.close()


@pytest.mark.parametrize("form", [TextForm(), JsonForm()])
def test_entries_are_read_back_newest_first_with_their_traces(kept: Path, form):
    try:
        raise ValueError("a mistake")
    except ValueError as wrong:
        fault = wrong
    write(
        kept,
        form,
        record(logging.INFO, "first"),
        record(logging.ERROR, "second", fault),
        record(logging.WARNING, "third"),
    )
    found = log.tail()
    assert [one.text for one in found.entries] == ["third", "second", "first"]
    assert "ValueError: a mistake" in found.entries[1].trace
    assert found.entries[0].at is not None
    assert [one.text for one in log.tail("ERROR").entries] == ["second"]
    assert [one.text for one in log.tail("DEBUG", "A MISTAKE").entries] == ["second"]
    assert log.tail("DEBUG", "nothing of that kind").entries == []


def test_only_the_end_of_a_large_file_is_read(kept: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log, "READ", 2_000)
    write(kept, TextForm(), *(record(logging.INFO, f"line {n}") for n in range(500)))
    texts = [one.text for one in log.tail().entries]
    assert texts[0] == "line 499"
    assert len(texts) < 40
    assert all(text.startswith("line ") for text in texts), "no line without its beginning"


def test_no_log_and_no_file_are_said(settings, kept: Path):
    assert log.tail().entries == []
    kept.mkdir(parents=True)
    assert log.tail().fault
    settings.LOG_KEPT = ""
    assert log.tail().file == ""


def test_lines_that_no_one_of_ours_wrote_are_shown_as_they_are(kept: Path):
    kept.parent.mkdir()
    kept.write_bytes(b'stray \xff line\n{"half": \n[1, 2]\n{"time": 5}\n')
    (entry,) = log.tail().entries
    assert entry.text.startswith("stray")
    assert '{"time": 5}' in entry.trace


@pytest.mark.once
@pytest.mark.processes
def test_several_processes_write_to_one_bounded_log_and_no_line_is_torn(tmp_path: Path):
    file = tmp_path / "log" / "mailape.log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file), name]) for name in ("a", "b")
    ]
    assert [one.wait(60) for one in writers] == [0, 0]
    files = sorted(path for path in file.parent.iterdir() if not path.name.startswith("."))
    assert [path.name for path in files] == ["mailape.log", "mailape.log.1"]
    assert all(path.stat().st_size < 21_000 for path in files)
    lines = [line for path in files[::-1] for line in path.read_text().splitlines()]
    assert all(line.split()[0] in "ab" and line.endswith("x" * 80) for line in lines)
    assert {lines[-1].split()[1], "399"} == {"399"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_stops_nobody_who_logs(tmp_path: Path, capsys):
    """The second line finds that the file is another one by now, and the first still in hand."""
    file = tmp_path / "mailape.log"
    file.symlink_to("/dev/full")
    handler = BoundedFile(str(file))
    for number in range(3):
        handler.emit(record(logging.INFO, f"line {number}"))
    assert capsys.readouterr().err.count("No space left on device") == 1  # said once
