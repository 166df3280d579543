"""The public names: removing or renaming one is a decision, taken by changing this list."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import tcm_hf

SOURCE = Path(tcm_hf.__file__).parent
PUBLIC_NAMES = {
    "AutoModelForTextDetection",
    "AutoModelForTextSpotting",
    "CLEvalMetric",
    "CLIP4STRConfig",
    "CLIP4STRForTextRecognition",
    "CLIP4STRImageProcessor",
    "CLIP4STRImageProcessorPil",
    "CLIP4STRProcessor",
    "CharacterTokenizer",
    "FastTCMForTextSpotting",
    "RotatedDetectionMetric",
    "RotatedDetectionTrainer",
    "RotatedDetectionTrainingArguments",
    "RotatedObjectDetectionPipeline",
    "TCMConfig",
    "TCMForRotatedObjectDetection",
    "TCMForTextDetection",
    "TCMImageProcessor",
    "TCMImageProcessorPil",
    "TCMModel",
    "TCMRotatedDetectionConfig",
    "TCMRotatedImageProcessor",
    "TCMRotatedImageProcessorPil",
    "TCMSpottingConfig",
    "TCMSpottingImageProcessor",
    "TCMSpottingImageProcessorPil",
    "TIoUMetric",
    "TextDetectionMetric",
    "TextDetectionPipeline",
    "TextDetectionTrainer",
    "TextDetectionTrainingArguments",
    "TextExplanationPipeline",
    "TextRecognitionMetric",
    "TextRecognitionPipeline",
    "TextRecognitionTrainer",
    "TextRecognitionTrainingArguments",
    "TextSpottingMetric",
    "TextSpottingPipeline",
    "TextSpottingTrainer",
    "__version__",
    "class_prompts",
    "default_checkpoint",
    "from_clip",
    "load_corpus",
    "register",
    "save_with_code",
}


def test_the_public_names_are_these():
    assert set(tcm_hf.__all__) == PUBLIC_NAMES
    assert set(dir(tcm_hf)) >= PUBLIC_NAMES


@pytest.mark.parametrize("name", sorted(PUBLIC_NAMES - {"__version__"}))
def test_a_public_name_exists_and_says_what_it_is(name):
    assert inspect.getdoc(getattr(tcm_hf, name))


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="TCMForTextRecognition"):
        _ = tcm_hf.TCMForTextRecognition


def test_types_are_known_to_editors_as_they_are_at_run_time():
    """The names under TYPE_CHECKING are those of the lazy table, from the same modules."""
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name: node.module for node in guarded.body for alias in node.names}
    assert typed == tcm_hf._PUBLIC


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix()
)
def test_documented_arguments_are_the_arguments(path):
    """Where a docstring has a list of arguments, it is complete, and names none that are gone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and (documented := documented_arguments(node)):
            assert documented == arguments_of(node), f"{path}:{node.lineno} {node.name}"


@pytest.mark.parametrize(
    "name", ["default_checkpoint", "from_clip", "load_corpus", "register", "save_with_code"]
)
def test_a_public_function_documents_its_arguments(name):
    tree = ast.parse(inspect.getsource(getattr(tcm_hf, name)))
    assert documented_arguments(tree.body[0]) == arguments_of(tree.body[0])


def arguments_of(node: ast.FunctionDef) -> set[str]:
    spec = node.args
    every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    return {argument.arg for argument in every if argument is not None} - {"self", "cls"}


def documented_arguments(node: ast.FunctionDef) -> set[str]:
    """The names under "Args:" of a docstring."""
    found = re.search(r"^Args:\n((?:    .*\n|\n)*)", f"{ast.get_docstring(node) or ''}\n", re.MULTILINE)
    return set(re.findall(r"^    \**(\w+):", found[1], re.MULTILINE)) if found else set()
