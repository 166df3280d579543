"""The writer of RESULTS.md: it replaces what lies between the marks of a section, and nothing else."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
DOCUMENT = """# Results

Words by hand.

<!-- bench:one -->
old table
<!-- /bench:one -->

More words.
<!-- bench:two -->
<!-- /bench:two -->
"""


@pytest.fixture(autouse=True)
def import_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_only_what_lies_between_the_marks_is_replaced():
    from write_results import with_section

    assert with_section(DOCUMENT, "one", "new\n") == DOCUMENT.replace("old table\n", "new\n")
    assert with_section(DOCUMENT, "two", r"a \1 b" + "\n") == DOCUMENT.replace(
        "<!-- bench:two -->\n", "<!-- bench:two -->\n" + r"a \1 b" + "\n"
    )


@pytest.mark.parametrize(
    ("reason", "document"),
    [
        ("no marks", "# Results\n"),
        ("empty", ""),
        ("no end", "<!-- bench:one -->\ntext\n"),
        ("the wrong way round", "<!-- /bench:one -->\n<!-- bench:one -->\n"),
        ("twice", DOCUMENT + DOCUMENT),
    ],
    ids=lambda value: value if len(value) < 20 and "\n" not in value else None,
)
def test_a_section_without_its_two_marks_is_an_error(reason, document):
    from write_results import with_section

    with pytest.raises(ValueError, match="<!-- bench:one -->"):
        with_section(document, "one", "new\n")


def test_a_benchmark_that_fails_leaves_its_old_text_and_the_others_go_on(tmp_path, capsys):
    from write_results import Section, rewrite

    path = tmp_path / "RESULTS.md"
    path.write_text(DOCUMENT)
    broken = Section("-c 'raise SystemExit(\"it broke\")'")
    works = Section("-c 'print(6 * 7)'")
    assert rewrite(path, {"one": broken, "two": works, "three": works}) == ["one", "three"]
    text = path.read_text()
    assert "old table" in text
    assert "```bash\npython -c 'print(6 * 7)'\n```\n\n42\n<!-- /bench:two -->" in text
    errors = capsys.readouterr().err
    assert "one: it broke" in errors
    assert "three: RESULTS.md must have" in errors


def test_every_section_has_its_place_and_its_script():
    from write_results import RESULTS, SECTIONS, with_section

    for name, section in SECTIONS.items():
        with_section(RESULTS.read_text(), name, "")
        assert (BENCHMARKS.parent / section.command.split()[0]).is_file()


def test_an_unknown_section_is_told_with_those_there_are(capsys):
    from write_results import main

    with pytest.raises(SystemExit):
        main(["stagse"])
    assert "stagse" in (error := capsys.readouterr().err)
    assert "stages" in error
    assert main(["--list"]) == 0
    assert "benchmarks/stages.py" in capsys.readouterr().out


def test_a_part_within_another_counts_once():
    from harness import Stopwatch

    now = iter(range(0, 100, 10))
    watch = Stopwatch(clock=lambda: next(now))
    with watch.part("outer"), watch.part("inner"):
        pass
    with watch.part("inner"):
        pass
    assert watch.take() == {"outer": 20, "inner": 20}
    assert watch.take() == {}


def test_a_watched_method_works_as_before_and_is_timed_even_if_it_fails():
    from harness import Stopwatch

    watch = Stopwatch()
    words = ["b", "a"]
    holder = type("Holder", (), {"join": lambda self, between: between.join(words)})()
    watch.watch(holder, "join", "joining")
    assert holder.join("-") == "b-a"
    with pytest.raises(AttributeError):
        holder.join(None)
    assert set(watch.take()) == {"joining"}
