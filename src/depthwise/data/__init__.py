"""Images and labels as people have them -> one record, the `ImageSet`.

::

    loading.py     load_images: which form is it?
    digits.py      the word "digits": scikit-learn's bundled set   ┐
    idx.py         IDX files, as MNIST comes in                    ├ a form: recognizes(path), read(path, size, split)
    folder.py      a folder per class                              ┘
    pictures.py    picture files -> one array; load_pictures for pictures without labels
    splits.py      the parts of a set: train, valid, test
    image_set.py   ImageSet
"""

from depthwise.data.idx import read_idx
from depthwise.data.image_set import ImageSet
from depthwise.data.loading import load_images
from depthwise.data.pictures import load_pictures

__all__ = ["ImageSet", "load_images", "load_pictures", "read_idx"]
