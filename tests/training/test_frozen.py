from torch import nn

from tcm_hf.training.frozen import FrozenParts


def test_a_part_is_frozen_as_a_whole_and_its_neighbours_are_not():
    model = nn.ModuleDict(
        {
            "tower": nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout()),
            "other": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)),
            "rest": nn.BatchNorm2d(4),
        }
    )
    names = {name for name, _ in model.named_parameters() if name.startswith(("tower.", "other.0."))}
    frozen = FrozenParts(model, names)
    model.train()
    frozen.hold()
    assert not any(module.training for module in (*model["tower"], model["other"][0]))
    assert all(module.training for module in (model["other"], model["other"][1], model["rest"]))
    assert frozen.modules == [model["tower"], model["other"][0]]
    assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == names


def test_what_was_frozen_by_hand_is_held_too():
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).train()
    model[0].requires_grad_(False)
    FrozenParts(model, set()).hold()
    assert [module.training for module in model] == [False, True, True]
