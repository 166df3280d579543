"""Push and pull against a loopback Hub: one process does it all, the tests look at what arrived."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from fakehub import serve

SCRIPT = """
    import sys
    sys.path.insert(0, sys.argv[1])
    import torch
    from tiny import tiny_images, tiny_model
    import tcm_hf
    from transformers import AutoBackbone, AutoImageProcessor, AutoModel, pipeline

    model = tiny_model()
    processor = tcm_hf.TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    model.push_to_hub("plain")
    processor.push_to_hub("plain")
    tcm_hf.save_with_code(model, sys.argv[2], processor, repo_id="me/with-code")

    def probability_map(model):
        with torch.no_grad():
            return model(tiny_images()).probability_map

    for repo_id in ("me/plain", "me/with-code"):
        loaded = AutoModel.from_pretrained(repo_id)
        assert type(loaded) is tcm_hf.TCMForTextDetection, type(loaded)
        torch.testing.assert_close(probability_map(loaded), probability_map(model), rtol=0, atol=0)
        assert type(AutoImageProcessor.from_pretrained(repo_id)) is tcm_hf.TCMImageProcessor
        detector = pipeline("text-detection", model=repo_id)
        assert type(detector) is tcm_hf.TextDetectionPipeline
        assert isinstance(detector(torch.zeros(3, 60, 90, dtype=torch.uint8)), list)
        backbone = AutoBackbone.from_pretrained(repo_id, out_features=["stage2", "stage4"])
        assert type(backbone) is tcm_hf.TCMModel and backbone.channels == [8, 17], backbone.channels
        with torch.no_grad():
            found, expected = backbone(tiny_images()), model.model(tiny_images())
        torch.testing.assert_close(found.feature_maps[1], expected.feature_maps[3], rtol=0, atol=0)
    try:
        tcm_hf.TCMForTextDetection.from_pretrained("me/nothing")
    except OSError as error:
        assert "me/nothing" in str(error)
    else:
        raise AssertionError("a missing repository must be an error")
    print("pushed and pulled")
"""


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    """Files by name of each repository after the script has run."""
    server, endpoint = serve()
    folder = tmp_path_factory.mktemp("push")
    settings = {
        "HF_ENDPOINT": endpoint,
        "HF_TOKEN": "hf_fake",
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_OFFLINE": "0",
    }
    try:
        result = subprocess.run(
            [
                sys.executable,
                "-c",
                textwrap.dedent(SCRIPT),
                str(Path(__file__).parents[1]),
                str(folder / "saved"),
            ],
            env=os.environ | settings,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr[-3000:]
        assert result.stdout.strip().endswith("pushed and pulled")
        return {name: repo.commits[repo.branches["main"]] for name, repo in server.repositories.items()}
    finally:
        server.shutdown()


def test_push_to_hub_sends_weights_and_settings_but_no_code(repositories):
    names = set(repositories["me/plain"])
    assert {"config.json", "model.safetensors", "preprocessor_config.json"} <= names
    assert not [name for name in names if name.endswith(".py")]
    assert "auto_map" not in json.loads(repositories["me/plain"]["config.json"])


def test_save_with_code_sends_the_code_and_a_card_for_the_repository(repositories):
    files = repositories["me/with-code"]
    assert {"modeling_tcm.py", "image_processing_tcm.py", "text_detection.py", "README.md"} <= set(files)
    assert b'model="me/with-code"' in files["README.md"]
    assert json.loads(files["config.json"])["auto_map"]["AutoModel"] == "modeling_tcm.TCMForTextDetection"
