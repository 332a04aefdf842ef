"""A batch of images -> the batch as the network gets it in training: changed at random, where it lies, in plain torch.

::

    chain.py        as_augmentation: what the user gives -> Augmentation, which calls the entries one after another
    transforms.py   RandomFlip, RandomCrop, RandomAffine, ColorJitter, RandomErasing: each image its own draw
    mixing.py       MixUp, CutMix: two images and their targets -> Augmented
    pixels.py       which pixels of which images
    arguments.py    arguments, checked
"""

from depthwise.data.augmentation.chain import Augmentation, as_augmentation
from depthwise.data.augmentation.mixing import Augmented, CutMix, MixUp
from depthwise.data.augmentation.transforms import ColorJitter, RandomAffine, RandomCrop, RandomErasing, RandomFlip

__all__ = [
    "Augmentation",
    "Augmented",
    "ColorJitter",
    "CutMix",
    "MixUp",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "as_augmentation",
]
