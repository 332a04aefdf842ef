"""What every epoch came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module
from typing import Any, overload

from depthwise.errors import TrainingError


@dataclass(frozen=True)
class EpochRecord:
    """Figures of one epoch; ``None`` where there is no validation, or no accuracy.

    Attributes
    ----------
    epoch
        Counted from 1, on through warm starts.
    train_loss
        Mean loss of the training images in training mode, while the weights moved, penalties included.
    valid_loss, valid_accuracy
        Mean loss of the validation images after the epoch, penalties included, and their share of right answers.
    train_valid_ratio
        train_loss / valid_loss: far below 1, the network knows its training images by heart.
    seconds
        Wall time, validation included.
    train_loss_best, valid_loss_best
        Whether the loss is the lowest so far.
    learning_rate
        Of the first step of the epoch.
    scores
        Of the validation images, by the names of ``scoring=``.
    """

    epoch: int
    train_loss: float
    valid_loss: float | None
    train_valid_ratio: float | None
    valid_accuracy: float | None
    seconds: float
    train_loss_best: bool
    valid_loss_best: bool
    learning_rate: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


COLUMNS = tuple(column.name for column in fields(EpochRecord) if column.name != "scores")


class History(Sequence[EpochRecord]):
    """Records of all epochs, in order; a column is read by its name, a score too.

    Examples
    --------
    >>> history = History()
    >>> record = history.add(train_loss=0.5, valid_loss=0.25, valid_accuracy=0.75, seconds=2.0)
    >>> record.epoch, record.train_valid_ratio, record.train_loss_best
    (1, 2.0, True)
    >>> history["train_loss"]
    [0.5]
    >>> History.from_dict(history.to_dict()) == history
    True
    """

    def __init__(self, records: Sequence[EpochRecord] = ()) -> None:
        self._records = list(records)

    def add(
        self,
        *,
        train_loss: float,
        valid_loss: float | None,
        valid_accuracy: float | None,
        seconds: float,
        learning_rate: float | None = None,
        scores: Mapping[str, float] | None = None,
    ) -> EpochRecord:
        """Append the record of the next epoch, with what follows from the ones before."""
        record = EpochRecord(
            epoch=len(self) + 1,
            train_loss=train_loss,
            valid_loss=valid_loss,
            train_valid_ratio=train_loss / valid_loss if valid_loss else None,
            valid_accuracy=valid_accuracy,
            seconds=seconds,
            train_loss_best=all(train_loss < loss for loss in self["train_loss"]),
            valid_loss_best=valid_loss is not None
            and all(loss is None or valid_loss < loss for loss in self["valid_loss"]),
            learning_rate=learning_rate,
            scores=dict(scores or {}),
        )
        self._records.append(record)
        return record

    @overload
    def __getitem__(self, key: int) -> EpochRecord: ...
    @overload
    def __getitem__(self, key: slice) -> History: ...
    @overload
    def __getitem__(self, key: str) -> list[Any]: ...

    def __getitem__(self, key: int | slice | str) -> EpochRecord | History | list[Any]:
        if isinstance(key, str):
            if key in COLUMNS:
                return [getattr(record, key) for record in self._records]
            if key in self.scores:
                return [record.scores.get(key) for record in self._records]
            raise KeyError(f"the history has no column {key!r}. It has: {', '.join((*COLUMNS, *self.scores))}.")
        if isinstance(key, slice):
            return History(self._records[key])
        return self._records[key]

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[EpochRecord]:
        return iter(self._records)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self._records == other._records

    __hash__ = None  # type: ignore[assignment]  # it grows

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores that any epoch has."""
        return tuple(dict.fromkeys(name for record in self._records for name in record.scores))

    def __repr__(self) -> str:
        return f"<History: {len(self)} epoch{'s' * (len(self) != 1)}>"

    def to_dict(self) -> dict[str, list[Any]]:
        """Columns by name, scores among them, ready for JSON."""
        return {column: self[column] for column in (*COLUMNS, *self.scores)}

    @classmethod
    def from_dict(cls, columns: dict[str, list[Any]]) -> History:
        """Read what :meth:`to_dict` wrote."""
        known = [column for column in COLUMNS if column in columns or column != "learning_rate"]  # the latest one
        scores = [name for name in columns if name not in COLUMNS]
        records = []
        for values in zip(*(columns[name] for name in (*known, *scores)), strict=True):
            row = dict(zip((*known, *scores), values, strict=True))
            own = {name: row.pop(name) for name in scores}
            records.append(EpochRecord(**row, scores={name: value for name, value in own.items() if value is not None}))
        return cls(records)

    def to_list(self) -> list[dict[str, Any]]:
        """Records as dictionaries, one an epoch, scores among the columns."""
        rows = [(asdict(record), record.scores) for record in self._records]
        return [{name: row[name] for name in COLUMNS} | dict(scores) for row, scores in rows]

    def to_frame(self) -> Any:
        """The records as a ``pandas.DataFrame``, a row an epoch.

        Raises
        ------
        TrainingError
            pandas is not installed.
        """
        try:
            pandas: Any = import_module("pandas")
        except ImportError:
            raise TrainingError(
                "history_.to_frame() needs pandas, which is not installed. "
                "Install it (pip install pandas), or use history_.to_list()."
            ) from None
        return pandas.DataFrame(self.to_list(), columns=[*COLUMNS, *self.scores]).set_index("epoch")
