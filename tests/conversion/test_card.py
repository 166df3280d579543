"""The card of a converted model is a table whatever the file says."""

import re
from pathlib import Path

from tcm_hf.conversion.card import converted_card
from tcm_hf.conversion.key_report import KeyReport
from tcm_hf.conversion.safe_loading import Checkpoint
from tiny import tiny_model


def test_what_a_file_says_stays_inside_its_cell():
    evil = "evil | x |\n---\n# injected <script>alert(1)</script>\n\x1b[31mred ![](http://x/y.png) \\| back"
    checkpoint = Checkpoint(
        Path("a|b\nc.pth"), f"mmcv checkpoint ({evil})", {}, meta={"iter": "3 |\n\n# more", "epoch": evil}
    )
    report = KeyReport({"a": "x", "b": "y"}, ignored={f"name\n{evil}": evil})
    card = converted_card(tiny_model(), checkpoint, report, {"prompt": evil})
    plain = converted_card(
        tiny_model(), Checkpoint(Path("x"), "y", {}, meta={"iter": 1}), KeyReport(), {"prompt": ""}
    )
    assert card.count("\n") == plain.count("\n")
    assert "\x1b" not in card and "<script" not in card and "![" not in card
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert len(rows) > 8 and {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows} == {3}
