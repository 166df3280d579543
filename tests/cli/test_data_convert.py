"""`tcm-hf data convert`: from corpus to format; what is lost or left out is told, the rest is written."""

import json
from dataclasses import replace

import pytest
from PIL import Image

from tcm_hf.cli import data_convert
from tcm_hf.cli.arguments import OneLineParser
from tcm_hf.cli.errors import CommandError
from tcm_hf.data.corpora import table
from tcm_hf.data.corpora.loading import load_corpus
from tcm_hf.data.corpora.metadata import IMAGEFOLDER
from tcm_hf.data.writing.formats import FORMATS

QUAD = [[10, 5], [60, 8], [59, 20], [9, 17]]


def convert(*arguments):
    parser = OneLineParser()
    data_convert.add_parser(parser.add_subparsers())
    return data_convert.run(parser.parse_args(["convert", *map(str, arguments)]))


def photos(folder, count=3, **known):
    folder.mkdir(parents=True)
    rows = []
    for number in range(1, count + 1):
        Image.new("RGB", (96, 64)).save(folder / f"img_{number}.png")
        row = {"file_name": f"img_{number}.png", "polygons": [QUAD, QUAD], "texts": ["a", "###"]}
        rows.append({**row, "ignore": [False, True], **known})
    (folder / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def test_a_part_of_a_corpus_becomes_another_format(tmp_path, capsys):
    source = photos(tmp_path / "source", languages=["Latin", None])
    assert convert(f"{source}:2-3", tmp_path / "out", "--to", "icdar2015") == 0
    assert [record.name for record in load_corpus(tmp_path / "out")] == ["img_2.png", "img_3.png"]
    output = capsys.readouterr()
    assert output.out == f"{tmp_path / 'out'}\n"
    assert "2 photos, 4 texts\n" in output.err
    assert "icdar2015 cannot hold: 2 languages\n" in output.err


def test_photos_become_words_and_objects(tmp_path):
    source = photos(tmp_path / "source")
    convert(source, tmp_path / "words", "--to", "words")
    assert [word.text for word in load_corpus(tmp_path / "words")] == ["a"] * 3
    convert(source, tmp_path / "dota", "--to", "dota", "--link")
    assert load_corpus(tmp_path / "dota")[0].difficult.tolist() == [False, True]
    with pytest.raises(
        CommandError, match=r"holds photos with outlines of texts.* give one of words, str-lmdb"
    ):
        convert(tmp_path / "words", tmp_path / "out", "--to", "coco")


def test_all_parts_are_written_side_by_side(tmp_path, capsys):
    for part in ("train", "test"):
        photos(tmp_path / "source" / part)
    assert convert(tmp_path / "source", tmp_path / "out", "--to", "imagefolder") == 0
    assert len(load_corpus(f"{tmp_path / 'out'}@test")) == 3
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "out" / part) for part in ("test", "train")
    ]


def test_what_is_broken_is_left_out_and_named(tmp_path, capsys):
    source = photos(tmp_path / "source", 4)
    with (source / "metadata.jsonl").open("a") as stream:
        stream.write('{"file_name": "x.png"}\n')
    (source / "img_2.png").unlink()
    (source / "img_3.png").write_bytes(b"no picture")
    assert convert(source, tmp_path / "out", "--to", "labelme") == 3
    assert [record.name for record in load_corpus(tmp_path / "out")] == ["img_1.png", "img_4.png"]
    error = capsys.readouterr().err
    assert "metadata.jsonl, line 5: not an annotation: 'polygons' is missing" in error
    assert "picture 2: Cannot read the image" in error and "picture 3: Cannot read the image" in error


def test_pictures_of_another_size_than_annotated_are_left_out(tmp_path, capsys):
    source = photos(tmp_path / "source", 2, width=96, height=64)
    Image.new("RGB", (48, 32)).save(source / "img_2.png")
    for to in ("icdar2015", "words"):
        assert convert(source, tmp_path / to, "--to", to) == 3
        assert len(load_corpus(tmp_path / to)) == 1
        assert "picture 2: img_2.png: annotated as 96x64, it is 48x32" in capsys.readouterr().err


def test_an_outline_that_lies_nowhere_is_left_out(tmp_path, capsys):
    source = photos(tmp_path / "source", 3)
    path = source / "metadata.jsonl"
    first, second, third = path.read_text().splitlines()
    path.write_text("\n".join([first, second.replace("[10, 5]", "[1e30, 5]", 1), third]))
    assert convert(source, tmp_path / "out", "--to", "icdar2015") == 3
    assert [record.name for record in load_corpus(tmp_path / "out")] == ["img_1.png", "img_3.png"]
    assert "metadata.jsonl, line 2" in capsys.readouterr().err


def test_a_part_with_nothing_in_the_range_is_told_and_passed_over(tmp_path, capsys):
    photos(tmp_path / "source" / "test", 1)
    photos(tmp_path / "source" / "train", 4)
    assert convert(f"{tmp_path / 'source'}:3-9", tmp_path / "out", "--to", "coco") == 0
    assert "test: No file of" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train"]
    assert len(load_corpus(tmp_path / "out" / "train")) == 2
    with pytest.raises(CommandError, match="No file of"):
        convert(f"{tmp_path / 'source'}:10-19", tmp_path / "nothing", "--to", "coco")
    assert not (tmp_path / "nothing").exists()


def test_several_parts_appear_whole_or_not_at_all(tmp_path, monkeypatch):
    for part in ("train", "test"):
        photos(tmp_path / "source" / part, 1)
    (tmp_path / "out" / "train").mkdir(parents=True)
    (tmp_path / "out" / "train" / "mine.txt").touch()
    with pytest.raises(CommandError, match="is not empty"):
        convert(tmp_path / "source", tmp_path / "out", "--to", "coco")
    assert not (tmp_path / "out" / "test").exists()
    write, written = FORMATS["coco"].write, []

    def full_disk(records, folder, **known):
        written.append(folder)
        if len(written) == 2:
            raise OSError("No space left on device")
        return write(records, folder, **known)

    monkeypatch.setitem(FORMATS, "coco", replace(FORMATS["coco"], write=full_disk))
    with pytest.raises(OSError, match="No space left"):
        convert(tmp_path / "source", tmp_path / "new", "--to", "coco")
    assert len(written) == 2 and sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


def test_no_part_is_written_outside_of_the_folder(tmp_path, monkeypatch):
    for part in ("train", "test"):
        photos(tmp_path / "source" / part, 1)
    evil = replace(IMAGEFOLDER, splits=lambda source: ["train", "../source/test"])
    monkeypatch.setattr(table, "CORPORA", (evil,))
    with pytest.raises(CommandError, match="leads out of the folder"):
        convert(f"imagefolder:{tmp_path / 'source'}", tmp_path / "out", "--to", "coco")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_unannotated_tasks_are_counted(tmp_path, capsys):
    source = photos(tmp_path / "source", 2)
    convert(source, tmp_path / "studio", "--to", "label-studio")
    path = tmp_path / "studio" / "tasks.json"
    tasks = json.loads(path.read_text())
    tasks[0]["annotations"] = []
    path.write_text(json.dumps(tasks))
    assert convert(tmp_path / "studio", tmp_path / "out", "--to", "coco") == 0
    assert "1 tasks without an annotation are left out\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "folder", "to", "message"),
    [
        ("source", "out", "excel", "there is no format 'excel': give one of imagefolder, coco"),
        ("nothing", "out", "coco", "is not there"),
        (".", "out", "coco", "no corpus that we know"),
        ("source", "source", "coco", "is not empty: give another folder"),
        ("source@val", "out", "coco", "no part 'val'"),
    ],
)
def test_mistakes_of_the_user(tmp_path, monkeypatch, source, folder, to, message):
    photos(tmp_path / "source")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=message):
        convert(source, folder, "--to", to)
    assert not (tmp_path / "out").exists()


def test_the_help_names_every_format():
    listed = data_convert.EPILOG.partition("examples:")[0]
    words = listed.replace(",", " ").split()
    assert [name for name in FORMATS if name not in words] == []
