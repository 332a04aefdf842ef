import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, log_loss

from depthwise.errors import DataError, TargetError
from depthwise.inspection import ConfusedPairs, find_top_losses

random = np.random.default_rng(0)
IMAGES = random.integers(0, 255, (40, 1, 4, 5)).astype(np.uint8)
SHARES = random.dirichlet([1, 1, 1], 40)
CLASSES = np.array(["cat", "cow", "dog"])
LABELS = CLASSES[random.integers(0, 3, 40)]


def test_losses_are_scikit_learn_s_and_the_largest_come_first():
    found = find_top_losses(IMAGES, LABELS, SHARES, CLASSES, n_images=40)
    assert found.losses.mean() == pytest.approx(log_loss(LABELS, SHARES, labels=CLASSES))
    assert (np.diff(found.losses) <= 0).all() and sorted(found.rows) == list(range(40))
    first = found.rows[0]
    assert found.true[0] == LABELS[first] and found.predicted[0] == CLASSES[SHARES[first].argmax()]
    assert found.probabilities[0] == SHARES[first].max() and found.images.dtype == np.uint8
    assert np.array_equal(found.images, IMAGES[found.rows])
    assert len(find_top_losses(IMAGES, LABELS, SHARES, CLASSES).rows) == 9


def test_labels_in_another_order_give_other_losses():
    found = find_top_losses(IMAGES, LABELS, SHARES, CLASSES)
    assert found.rows.tolist() != find_top_losses(IMAGES, LABELS[::-1], SHARES, CLASSES).rows.tolist()


def test_a_probability_of_zero_is_a_large_loss_and_one_is_none():
    found = find_top_losses(IMAGES[:2], [1, 0], [[1.0, 0.0], [1.0, 0.0]])
    assert np.isfinite(found.losses).all() and found.losses[0] > 700 and str(found.losses[1]) == "0.0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((IMAGES[:0], [], np.zeros((0, 3))), "images: there are none to look at. Give at least one."),
        ((IMAGES, LABELS[:3], SHARES, CLASSES), "there are 40 images, 3 labels and probabilities of shape (40, 3)."),
        ((IMAGES, ["hen"] * 40, SHARES, CLASSES), "labels: 'hen' is none of the 3 classes. Remove its images."),
        ((IMAGES, [3] * 40, SHARES), "labels: 3 is none of the 3 classes. Remove its images."),
    ],
)
def test_what_does_not_fit_is_told(arguments, message):
    with pytest.raises(DataError) as problem:
        find_top_losses(*arguments)
    assert str(problem.value).startswith(message)


def test_pairs_are_the_confusion_matrix_off_its_diagonal():
    predicted = CLASSES[SHARES.argmax(1)]
    pairs = ConfusedPairs.from_predictions(LABELS, predicted)
    counts = confusion_matrix(LABELS, predicted, labels=CLASSES)
    places = CLASSES.tolist().index
    assert all(pair.count == counts[places(pair.true), places(pair.predicted)] for pair in pairs)
    assert sum(pair.count for pair in pairs) == counts.sum() - counts.trace()
    assert [pair.count for pair in pairs] == sorted((pair.count for pair in pairs), reverse=True)
    assert all(pair.share == pair.count / (pair.true == LABELS).sum() for pair in pairs)
    assert pairs.pairs != ConfusedPairs.from_predictions(LABELS, predicted[::-1]).pairs
    assert len(ConfusedPairs.from_predictions(LABELS, predicted, 2)) == 2
    assert pairs.to_dict()[0]["count"] == pairs[0].count and pairs[:1] == (pairs[0],)


def test_who_makes_no_mistakes_confuses_nothing():
    assert str(ConfusedPairs.from_predictions([1, 2], [1, 2])) == "No class is taken for another."


def test_pairs_of_any_fitted_classifier():
    X = np.array([[0.0], [1.0], [10.0], [11.0], [0.5]])
    y = ["low", "low", "high", "high", "high"]
    net = LogisticRegression()
    with pytest.raises(TargetError, match=r"LogisticRegression has no classes to confuse. Give a trained classifier."):
        ConfusedPairs.from_estimator(net, X, y)
    net.fit(X[:4], y[:4])
    assert [(p.true, p.predicted, p.count) for p in ConfusedPairs.from_estimator(net, X, y)] == [("high", "low", 1)]
    with pytest.raises(DataError, match=r"X: there are no images to look at. Give at least one."):
        ConfusedPairs.from_estimator(net, X[:0], [])
    with pytest.raises(DataError, match="there are 5 labels and 1 predictions"):
        ConfusedPairs.from_predictions(y, ["low"])
