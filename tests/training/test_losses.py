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
