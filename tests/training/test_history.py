"""The history: records, columns, JSON."""

import json
from dataclasses import FrozenInstanceError

import pytest

from depthwise.training import History


@pytest.fixture
def history():
    made = History()
    for train, valid, accuracy in ((2.0, 1.0, 0.5), (1.0, 2.0, 0.75), (1.0, 0.5, 0.75)):
        made.add(train_loss=train, valid_loss=valid, valid_accuracy=accuracy, seconds=1.5)
    return made


def test_records_carry_what_follows_from_the_ones_before(history):
    assert history["epoch"] == [1, 2, 3]
    assert history["train_valid_ratio"] == [2.0, 0.5, 2.0]
    assert history["train_loss_best"] == [True, True, False]  # equal is not better
    assert history["valid_loss_best"] == [True, False, True]


def test_rows_columns_and_slices(history):
    assert history[-1].valid_loss == 0.5 and history[1:]["epoch"] == [2, 3] and len(history) == 3
    assert [record.epoch for record in history] == [1, 2, 3]
    assert history.to_list()[0]["seconds"] == 1.5 and "scores" not in history.to_list()[0]
    with pytest.raises(KeyError, match=r"the history has no column 'loss'\. It has: epoch, train_loss"):
        history["loss"]
    with pytest.raises(FrozenInstanceError):
        history[0].epoch = 7


def test_without_validation_its_columns_are_none():
    record = History().add(train_loss=1.0, valid_loss=None, valid_accuracy=None, seconds=0.0)
    assert record.valid_loss is record.train_valid_ratio is None and not record.valid_loss_best


def test_json_carries_it(history):
    assert History.from_dict(json.loads(json.dumps(history.to_dict()))) == history
    assert History.from_dict(History().to_dict()) == History()
