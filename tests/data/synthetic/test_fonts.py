import numpy as np
import pytest

from tcm_hf.data.synthetic import fonts
from tcm_hf.data.synthetic.fonts import FontLibrary, builtin_face, find_font_files, read_faces


def test_without_any_font_pillows_own_is_used_and_a_warning_says_so(monkeypatch):
    monkeypatch.setattr(fonts, "SYSTEM_FONT_DIRS", ())
    with pytest.warns(UserWarning, match="apt-get install"):
        library = FontLibrary.from_folders()
    assert library.scripts == ("latin",)


def test_a_folder_without_fonts_is_an_error_that_helps(tmp_path):
    with pytest.raises(ValueError, match="apt-get install fonts-dejavu"):
        FontLibrary.from_folders([tmp_path])
    with pytest.raises(ValueError, match="not a folder"):
        FontLibrary.from_folders([tmp_path / "no"])


def test_a_broken_font_file_is_skipped(tmp_path):
    for name, content in (("a.ttf", b""), ("b.otf", b"\x00\x01\x00\x00" + b"\x00" * 40), ("c.ttc", b"ttcf")):
        (tmp_path / name).write_bytes(content)
        assert read_faces(tmp_path / name) == []
    with pytest.raises(ValueError, match="covers"):
        FontLibrary.from_folders([tmp_path])


def test_the_builtin_face_knows_what_it_lacks():
    face = builtin_face()
    assert face.covers("Street 29")
    assert not face.covers("Улица")


def test_a_character_that_a_face_claims_has_ink_of_its_own():
    paths = find_font_files()
    if not paths:
        pytest.skip("no font is installed")
    checked = 0
    for path in paths[:: max(1, len(paths) // 12)]:
        for face in read_faces(path)[:1]:
            font = face.at_size(40)
            missing = font.getmask("\U000f1234")  # private use: drawn as the box for "no glyph"
            for code in sorted(face.characters)[:60:6]:
                drawn = font.getmask(chr(code))
                same = drawn.size == missing.size and bytes(drawn) == bytes(missing)
                assert not same, f"{path.name} draws {chr(code)!r} as a missing glyph"
                checked += 1
    assert checked


def test_families_are_drawn_evenly_and_by_seed():
    library = FontLibrary([builtin_face()])
    assert library.draw("latin", np.random.default_rng(0)) == builtin_face()
    assert library.families("greek") == []
