"""Losses against scikit-learn's and PyTorch's own figures, weighted and mixed ones against sums by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import hinge_loss, log_loss
from torch import nn

from depthwise.errors import TrainingError
from depthwise.training.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, choose_loss

GENERATOR = torch.Generator().manual_seed(0)
OUTPUT = torch.randn(7, 3, generator=GENERATOR)
CLASSES = torch.tensor([0, 1, 2, 2, 1, 0, 2])
WEIGHTS = torch.tensor([1.0, 0.0, 2.0, 0.5, 0.5, 1.5, 1.5])


def test_cross_entropy_is_scikit_learns_log_loss():
    expected = log_loss(CLASSES, torch.softmax(OUTPUT.double(), 1).numpy())
    assert choose_loss(None, CLASSIFICATION_LOSSES).mean(OUTPUT, CLASSES).item() == pytest.approx(expected, rel=1e-6)


def test_hinge_is_crammer_and_singers_over_all_wrong_classes():
    wrong = (1 - OUTPUT.gather(1, CLASSES[:, None]) + OUTPUT).clamp(min=0)
    wrong[torch.arange(7), CLASSES] = 0
    expected = wrong.sum(1).mean() / 3
    torch.testing.assert_close(choose_loss("hinge", CLASSIFICATION_LOSSES).mean(OUTPUT, CLASSES), expected)


def test_one_logit_has_the_losses_of_two_classes():
    one, binary = OUTPUT[:, :1], (CLASSES > 0).long()
    known = CLASSIFICATION_LOSSES
    probability = torch.sigmoid(one[:, 0].double()).numpy()
    assert choose_loss(None, known, 1).mean(one, binary).item() == pytest.approx(log_loss(binary, probability))
    expected = hinge_loss(binary.numpy(), one[:, 0].double().numpy())
    assert choose_loss("hinge", known, 1).mean(one, binary).item() == pytest.approx(expected)
    with pytest.raises(TrainingError, match=r"needs an output for each of the 2 classes, but the network has 1"):
        choose_loss("cross_entropy", known, 1)


def test_several_labels_are_a_mean_of_binary_losses():
    labels = torch.tensor([[1.0, 0, 1]] * 7)
    expected = np.mean([F.binary_cross_entropy_with_logits(OUTPUT[:, i], labels[:, i]).item() for i in range(3)])
    assert choose_loss("bce", CLASSIFICATION_LOSSES, 3).mean(OUTPUT, labels).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_regression_losses_are_means_over_images_and_targets(name):
    target = OUTPUT.flip(0)
    expected = {"squared_error": F.mse_loss, "absolute_error": F.l1_loss, "huber": F.huber_loss}[name](OUTPUT, target)
    loss = choose_loss(name, REGRESSION_LOSSES)
    torch.testing.assert_close(loss.mean(OUTPUT, target), expected)
    assert loss.each(OUTPUT, target).shape == (7,)


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", nn.CrossEntropyLoss()])
def test_a_weight_of_two_is_an_image_twice(loss):
    chosen = choose_loss(loss, CLASSIFICATION_LOSSES)
    twice = torch.tensor([0, 1, 1, 2])
    weights = torch.tensor([1.0, 2.0, 1.0, 0, 0, 0, 0])
    doubled = chosen.mean(OUTPUT[twice], CLASSES[twice])
    torch.testing.assert_close(chosen.of(OUTPUT, CLASSES, weights * 7 / 4), doubled)


COUNTS = torch.tensor([0.1, 0.5, 3.0])
MAPS = torch.randn(7, 3, 2, 2, generator=GENERATOR)
REDUCED = [
    (nn.CrossEntropyLoss(weight=COUNTS), OUTPUT, CLASSES),
    (nn.CrossEntropyLoss(weight=COUNTS, label_smoothing=0.2), OUTPUT, CLASSES),
    (nn.CrossEntropyLoss(weight=COUNTS, ignore_index=1), OUTPUT, CLASSES),
    (nn.CrossEntropyLoss(weight=COUNTS), OUTPUT, torch.softmax(OUTPUT.flip(1), 1)),
    (nn.CrossEntropyLoss(weight=COUNTS, ignore_index=0), MAPS, MAPS.argmax(1)),
    (nn.NLLLoss(weight=COUNTS), torch.log_softmax(OUTPUT, 1), CLASSES),
    (nn.NLLLoss(ignore_index=2), torch.log_softmax(OUTPUT, 1), CLASSES),
    (nn.MultiMarginLoss(weight=COUNTS), OUTPUT, CLASSES),
    (nn.BCEWithLogitsLoss(weight=COUNTS, pos_weight=COUNTS), OUTPUT, (OUTPUT.flip(0) > 0).float()),
    (nn.SmoothL1Loss(), MAPS, MAPS.flip(0)),
]


@pytest.mark.parametrize(("loss", "output", "target"), REDUCED, ids=lambda value: type(value).__name__)
def test_equal_weights_change_no_module(loss, output, target):
    chosen = choose_loss(loss, CLASSIFICATION_LOSSES)
    torch.testing.assert_close(chosen.of(output, target, torch.ones(7)), loss(output, target))
    by_image = chosen.of_mixed(output, target, None, torch.arange(6, -1, -1), torch.ones(7))
    torch.testing.assert_close(by_image, loss(output, target))


def test_equal_weights_of_classes_are_none_beside_weights_of_images():
    plain, scaled = (
        choose_loss(nn.CrossEntropyLoss(weight=weight), CLASSIFICATION_LOSSES)
        for weight in (None, torch.full((3,), 0.1))
    )
    torch.testing.assert_close(scaled.of(OUTPUT, CLASSES, WEIGHTS), plain.of(OUTPUT, CLASSES, WEIGHTS))


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(weight=COUNTS), nn.BCEWithLogitsLoss(pos_weight=COUNTS)])
@pytest.mark.parametrize("weights", [None, WEIGHTS.to("meta")])
def test_a_module_goes_to_the_device_of_the_output(loss, weights):
    output = OUTPUT.to("meta")
    target = output if isinstance(loss, nn.BCEWithLogitsLoss) else CLASSES.to("meta")
    chosen = choose_loss(loss, CLASSIFICATION_LOSSES)
    assert chosen.of(output, target, weights).device.type == "meta"
    assert all(tensor.device.type == "cpu" for tensor in loss.buffers())  # that of the user stays


def test_a_module_that_is_on_the_device_is_not_copied():
    class Counting(nn.MSELoss):
        calls = 0

        def forward(self, output, target):
            self.calls += 1
            return super().forward(output, target)

    loss = Counting()
    choose_loss(loss, REGRESSION_LOSSES).mean(OUTPUT, OUTPUT)
    assert loss.calls == 1


def test_smoothing_spreads_targets():
    smooth = choose_loss(None, CLASSIFICATION_LOSSES, 3, label_smoothing=0.3)
    targets = F.one_hot(CLASSES, 3) * 0.7 + 0.1
    torch.testing.assert_close(smooth.mean(OUTPUT, CLASSES), -(targets * torch.log_softmax(OUTPUT, 1)).sum(1).mean())
    binary = choose_loss("bce", CLASSIFICATION_LOSSES, 1, label_smoothing=0.2)
    wanted = (CLASSES > 0).float() * 0.8 + 0.1
    torch.testing.assert_close(
        binary.mean(OUTPUT[:, :1], (CLASSES > 0).long()), F.binary_cross_entropy_with_logits(OUTPUT[:, 0], wanted)
    )


@pytest.mark.parametrize("loss", ["hinge", F.cross_entropy])
def test_smoothing_is_refused_where_targets_are_no_probabilities(loss):
    with pytest.raises(TrainingError, match=r"label_smoothing is 0\.1 but the loss is"):
        choose_loss(loss, CLASSIFICATION_LOSSES, 3, 0.1)


@pytest.mark.parametrize("share", [0.3, torch.tensor(0.3), torch.linspace(0, 1, 7)])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_mixed_targets_count_by_their_shares(share, weights):
    loss = choose_loss(None, CLASSIFICATION_LOSSES)
    partners = torch.tensor([3, 4, 5, 6, 0, 1, 2])
    each = torch.as_tensor(share).expand(7)
    weight = torch.ones(7) if weights is None else weights
    own = F.cross_entropy(OUTPUT, CLASSES, reduction="none") * weight
    other = F.cross_entropy(OUTPUT, CLASSES[partners], reduction="none") * weight[partners]
    expected = (each * own + (1 - each) * other).mean()
    torch.testing.assert_close(loss.of_mixed(OUTPUT, CLASSES, weights, partners, share), expected)


def test_a_function_of_the_mean_can_be_mixed_but_not_weighted():
    loss = choose_loss(F.cross_entropy, CLASSIFICATION_LOSSES)
    partners = torch.arange(6, -1, -1)
    named = choose_loss(None, CLASSIFICATION_LOSSES)
    torch.testing.assert_close(
        loss.of_mixed(OUTPUT, CLASSES, None, partners, 0.25), named.of_mixed(OUTPUT, CLASSES, None, partners, 0.25)
    )
    with pytest.raises(TrainingError, match=r"a function that gives one mean for all images cannot weight them"):
        loss.of(OUTPUT, CLASSES, WEIGHTS)
