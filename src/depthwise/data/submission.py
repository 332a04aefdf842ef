"""What Kaggle wants back: the label of each image, by its id."""

import csv
import io
import os
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from depthwise.data.pictures import shortened
from depthwise.errors import DataError
from depthwise.files import write_whole


def write_submission(path: str | os.PathLike[str], labels: ArrayLike, ids: Sequence[object] | None = None) -> None:
    """Write predicted labels as a CSV file of the columns ``ImageId,Label``.

    The file is written whole or not at all; one that is there is replaced, as by ``save``.

    Parameters
    ----------
    path
        The file, such as ``submission.csv``.
    labels
        Shape (n_images,), in the order of the images: what ``predict`` returns.
    ids
        What each image is called, such as `ImageSet.ids`; without them images are numbered from 1, as Kaggle's
        digit recognizer does.

    Raises
    ------
    DataError
        `labels` has another shape, there are more or fewer `ids`, or two images are called the same.
    FileError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_submission(f"{folder}/submission.csv", [2, 0, 9])
    ...     print(Path(folder, "submission.csv").read_text(), end="")
    ImageId,Label
    1,2
    2,0
    3,9
    """
    column = np.asarray(labels)
    if column.ndim != 1:
        shape = "x".join(map(str, column.shape)) or "no axes"
        raise DataError(f"labels: of shape {shape}, but each image has one. Give what predict returns.")
    called = range(1, len(column) + 1) if ids is None else ids
    if len(called) != len(column):
        raise DataError(f"labels: {len(column)} of them, but {len(called)} ids. Give each image one.")
    twice = [str(one) for one, count in Counter(map(str, called)).items() if count > 1]
    if twice:
        raise DataError(
            f"ids: {shortened(twice)} {'stands' if len(twice) == 1 else 'stand'} for several images, so that their "
            "labels cannot be told apart. Give each image its own."
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("ImageId", "Label"))
    writer.writerows(zip(called, column.tolist(), strict=True))
    write_whole(path, text.getvalue().encode())
