"""Images and labels as people have them -> one record, the `ImageSet`.

::

    loading.py      load_images: which form is it?  load_pictures for pictures without labels
    words.py        the words "digits", "mnist", "cifar10" ┐
    idx.py          IDX files, as MNIST comes in           │
    cifar.py        the batches of CIFAR-10 and CIFAR-100  │
    archive.py      class folders or CIFAR in a tar file   ├ a form: recognizes(path), read(path, size, split, cache)
    csv_paths.py    tables of picture files                │
    csv_pixels.py   tables of pixels                       │
    numpy_files.py  .npz and .npy                          │
    folder.py       a folder per class                     ┘
    datasets.py     well-known sets by name; download.py fetches them
    batches.py      what is pickled in CIFAR's batches, read without running it
    csv_lines.py    the lines of CSV files and their fields, for both kinds of tables
    streams.py      bytes of files that may be gzipped
    pictures.py     picture files -> one array
    cached.py       the same array in a file that is mapped into memory
    layout.py       arrays -> images and labels, by stated rules
    splits.py       the parts of a set: train, valid, test
    image_set.py    ImageSet
    duplicates.py   what is odd about images and labels
    augmentation/   images changed at random while a network trains
    submission.py   what Kaggle wants back
"""

from depthwise.data import datasets
from depthwise.data.duplicates import find_duplicates
from depthwise.data.idx import read_idx
from depthwise.data.image_set import ImageSet
from depthwise.data.loading import load_images, load_pictures
from depthwise.data.submission import write_submission

__all__ = [
    "ImageSet",
    "datasets",
    "find_duplicates",
    "load_images",
    "load_pictures",
    "read_idx",
    "write_submission",
]
