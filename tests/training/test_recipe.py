import json

import numpy as np
import pytest
from PIL import Image

from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
from tcm_hf.training.corpus_spec import CorpusSpec
from tcm_hf.training.recipe import DetectorRecipe, load_start, prepare


@pytest.fixture
def start(tmp_path, tiny_detector):
    """A small checkpoint."""
    tiny_detector().save_pretrained(tmp_path / "start")
    TCMImageProcessor(size={"shortest_edge": 64, "longest_edge": 128}).save_pretrained(tmp_path / "start")
    return str(tmp_path / "start")


def write_corpus(folder) -> CorpusSpec:
    folder.mkdir()
    Image.fromarray(np.full((70, 110, 3), 40, np.uint8)).save(folder / "img_1.png")
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": "img_1.png", "polygons": []}))
    return CorpusSpec(folder)


@pytest.mark.parametrize("factor", [0.0, 0.1])
def test_the_text_tower_learns_when_it_has_a_learning_rate(start, tmp_path, factor):
    recipe = DetectorRecipe([], tmp_path, model=start, arguments={"text_tower_lr_factor": factor})
    model, _ = load_start(recipe)
    model.train()
    assert {parameter.requires_grad for parameter in model.model.text_tower.parameters()} == {factor > 0}
    assert model.model.text_tower.training == (factor > 0)


def test_a_text_tower_that_is_not_there_cannot_learn(tiny_detector, tmp_path):
    model = tiny_detector()
    model.cache_text_embeddings()
    model.save_pretrained(tmp_path)
    TCMImageProcessor().save_pretrained(tmp_path)
    recipe = DetectorRecipe([], tmp_path, model=str(tmp_path), arguments={"text_tower_lr_factor": 0.1})
    with pytest.raises(ValueError, match="text_tower_lr_factor"):
        load_start(recipe)


def test_photos_are_kept_decoded_and_generated_pictures_are_not(start, tmp_path):
    photos, generated = write_corpus(tmp_path / "photos"), write_corpus(tmp_path / "generated")
    (generated.folder / "synth.json").write_text("{}")
    recipe = DetectorRecipe(
        [photos, generated],
        tmp_path / "out",
        model=start,
        crop=64,
        cache=tmp_path / "cache",
        arguments={"max_steps": 1},
    )
    mix = prepare(recipe).trainer.train_dataset
    assert [dataset.image_cache is None for dataset in mix.datasets] == [False, True]
