"""What Kaggle's digit recognizer wants back."""

import csv
import io
import os

import numpy as np
from numpy.typing import ArrayLike

from depthwise.errors import DataError
from depthwise.files import write_whole


def write_submission(path: str | os.PathLike[str], labels: ArrayLike) -> None:
    """Write predicted labels as a CSV file of the columns ``ImageId,Label``, images numbered from 1.

    The file is written whole or not at all; one that is there is replaced, as by ``save``.

    Parameters
    ----------
    path
        The file, such as ``submission.csv``.
    labels
        Shape (n_images,), in the order of the images: what ``predict`` returns.

    Raises
    ------
    DataError
        `labels` has another shape.
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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("ImageId", "Label"))
    writer.writerows(enumerate(column.tolist(), 1))
    write_whole(path, text.getvalue().encode())
