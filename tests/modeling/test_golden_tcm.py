"""TCM and FastTCM against the original programs, stage by stage (shared/golden/README.md)."""

import pytest

import tcm_checkpoints
from tcm_hf.conversion.convert_tcm import detector_of
from tcm_hf.conversion.golden import load_golden
from tcm_hf.conversion.verify import verify


def check_case(case):
    """Every stage that the golden has; the first that differs is where the fault lies."""
    golden = load_golden(tcm_checkpoints.golden_path(case))
    tensors = tcm_checkpoints.tensors_of(case)
    total = sum(tensor.double().sum().item() for tensor in tensors.values())
    assert total == pytest.approx(golden.reference["weights_check"]["sum"], rel=1e-6)
    comparisons = verify(detector_of(tensors, golden.reference["model_config"]).model, golden)
    assert [one for one in comparisons if not one.agrees] == []
    assert len(comparisons) >= 13


@pytest.mark.parametrize(
    "case",
    [
        "A_tcm_v1_tiny",
        "B_tcm_v2_tiny",
        "C_dbnet_tiny",
        "C_dbnet_v2_tiny",
        "C_dbnet_p32_tiny",
        "C_abl_onlylearn_tiny",
        "C_abl_nolearn_tiny",
        "C_abl_nogen_novis_tiny",
        "C_abl_novis_tiny",
        "C_abl_vis_nogen_tiny",
        "C_abl_noctxdec_tiny",
        "C_scale_tiny",
        "C_k2_tiny",
        "C_vitb_tiny",
        "C_pan_tiny",
        "C_segnet_tiny",
        "C_fce_tiny",
    ],
)
def test_tiny_model_reproduces_the_original_stage_by_stage(case):
    check_case(case)


@pytest.mark.parametrize("case", ["A_tcm_v1_full", "C_dbnet_full"])
def test_full_size_model_reproduces_the_original_stage_by_stage(case):
    check_case(case)
