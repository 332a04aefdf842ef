"""What holds for every augmentation, and what a user may give as one."""

import copy
import pickle

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from torch._subclasses.fake_tensor import FakeTensorMode

from depthwise.data.augmentation import (
    Augmentation,
    ColorJitter,
    CutMix,
    MixUp,
    RandomAffine,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    as_augmentation,
)
from depthwise.errors import DataError, TrainingError

TRANSFORMS = [
    RandomFlip(0.5, 0.5),
    RandomCrop(3),
    RandomCrop(2, fill="edge"),
    RandomCrop(2, fill=7),
    RandomAffine(degrees=30, translate=0.1, scale=0.2, shear=10),
    RandomAffine(degrees=30, fill=7),
    ColorJitter(0.5, 0.5),
    RandomErasing(0.7),
    RandomErasing(0.7, fill=0),
]
MIXERS = [MixUp(0.4), CutMix()]
EVERY = [*TRANSFORMS, *MIXERS]


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def some_images(*shape: int, last: bool = False) -> torch.Tensor:
    images = torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 255
    return images.contiguous(memory_format=torch.channels_last) if last else images


def run(entry, images) -> torch.Tensor:
    return as_augmentation(entry)(images).images


@given(
    entry=st.sampled_from(EVERY),
    shape=st.tuples(st.integers(1, 4), st.sampled_from([1, 2, 3]), st.integers(1, 9), st.integers(1, 9)),
    last=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
@example(RandomCrop(4), (1, 1, 1, 1), False, torch.float32)
@example(RandomAffine(30), (1, 1, 1, 1), False, torch.float32)
@example(CutMix(), (1, 3, 1, 7), True, torch.float32)
@settings(deadline=None, max_examples=60)
def test_a_batch_becomes_a_batch_of_the_same_form(entry, shape, last, dtype):
    images = some_images(*shape, last=last).to(dtype)
    before = images.clone()
    made = run(entry, images)
    assert (made.shape, made.dtype, made.device) == (images.shape, dtype, images.device)
    assert torch.equal(images, before)
    assert bool(made.isfinite().all())
    for memory_format in (torch.channels_last, torch.contiguous_format):
        if images.is_contiguous(memory_format=memory_format) and min(shape) > 1:
            assert made.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("entry", EVERY, ids=repr)
def test_both_layouts_give_the_same(entry):
    made = []
    for last in (False, True):
        torch.manual_seed(3)
        made.append(run(entry, some_images(6, 3, 8, 7, last=last)))
    torch.testing.assert_close(*made)


@pytest.mark.parametrize("entry", EVERY, ids=repr)
def test_draws_come_from_the_seed(entry):
    images = some_images(16, 3, 12, 12)
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(run(entry, images))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


@pytest.mark.parametrize("entry", TRANSFORMS, ids=repr)
def test_each_image_has_its_own_draw(entry):
    images = some_images(1, 3, 12, 12).expand(64, 3, 12, 12)
    assert len(torch.unique(run(entry, images), dim=0)) > 3


@pytest.mark.parametrize("entry", EVERY, ids=repr)
def test_it_is_a_value(entry):
    for twin in (clone(entry, safe=False), copy.deepcopy(entry), pickle.loads(pickle.dumps(entry)), eval(repr(entry))):
        assert twin == entry and hash(twin) == hash(entry)


def test_two_ways_to_write_one_are_equal():
    assert RandomAffine(degrees=10, scale=0.5) == RandomAffine(degrees=(-10, 10), scale=(0.5, 1.5))
    assert RandomAffine(degrees=10) != RandomAffine(degrees=11)


@pytest.mark.parametrize("entry", TRANSFORMS, ids=repr)
def test_nothing_waits_for_the_device(entry):
    # Tensors on this device hold no values: a question such as .item() or nonzero() is an error, as is one elsewhere.
    images = torch.empty(8, 3, 16, 16, device="meta")
    assert as_augmentation(entry)(images).images.device.type == "meta"


def test_mixing_does_not_wait_for_the_device():
    # The draw of a beta variable does not know the device above; these tensors hold no values either.
    with FakeTensorMode() as mode:
        images = mode.from_tensor(torch.empty(8, 3, 16, 16))
        assert as_augmentation(MIXERS)(images).images.shape == (8, 3, 16, 16)


# What the user gives


def test_nothing_is_no_augmentation():
    assert as_augmentation(None) is None
    assert as_augmentation([]) is None
    made = Augmentation((RandomFlip(),))
    assert as_augmentation(made) is made
    assert as_augmentation(RandomFlip()) == as_augmentation([RandomFlip()]) == made


def test_entries_act_one_after_another_and_mixing_comes_last():
    images = some_images(3, 1, 2, 2)
    made = as_augmentation([MixUp(), lambda batch: batch + 1, RandomFlip(1)])(images)
    changed = (images + 1).flip(3)
    torch.testing.assert_close(made.images, made.share * changed + (1 - made.share) * changed.roll(1, 0))


def test_of_two_mixers_one_is_drawn():
    # Images of one value: mixed evenly by MixUp, in two values by CutMix.
    images = torch.arange(2.0)[:, None, None, None].expand(2, 1, 9, 9)
    augmentation = as_augmentation([MixUp(), CutMix()])
    n_cut = sum(len(augmentation(images).images[0].round(decimals=4).unique()) == 2 for _ in range(200))
    assert 60 < n_cut < 140


def test_whole_numbers_become_floats():
    images = torch.arange(8, dtype=torch.uint8).view(1, 2, 2, 2)
    made = as_augmentation(RandomFlip(1))(images).images
    assert made.dtype == torch.float32 and torch.equal(made, images.flip(3).float())


def test_a_function_may_work_in_place():
    images = some_images(2, 3, 4, 4)
    before = images.clone()
    made = as_augmentation(lambda batch: batch.mul_(2))(images).images
    assert torch.equal(images, before) and torch.equal(made, 2 * before)


def test_a_module_runs_without_gradients():
    images = some_images(2, 3, 4, 4, last=True)
    made = as_augmentation(torch.nn.Conv2d(3, 3, 1))(images).images
    assert not made.requires_grad and made.is_contiguous(memory_format=torch.channels_last)


def stand_in(name="RandomShift", result=None):
    """A transform as torchvision's: one draw a call, whatever it is called with."""

    def call(self, images):
        self.shapes.append(tuple(images.shape))
        return images + torch.rand(1) if result is None else result(images)

    made = type(name, (), {"__call__": call, "__module__": "torchvision.transforms.v2", "shapes": []})()
    made.shapes = []
    return made


def test_transforms_of_torchvision_draw_for_each_image():
    transform = stand_in()
    images = torch.zeros(5, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    made = as_augmentation(transform)(images).images
    assert transform.shapes == [(3, 4, 4)] * 5
    assert len(made.unique()) == 5
    assert made.is_contiguous(memory_format=torch.channels_last)


def test_torchvision_is_seen_within_a_sequence():
    class Shift(torch.nn.Module):
        def forward(self, images):
            return images + torch.rand(1)

    Shift.__module__ = "torchvision.transforms.transforms"
    made = as_augmentation(torch.nn.Sequential(Shift(), torch.nn.Identity()))(torch.zeros(5, 1, 2, 2)).images
    assert len(made.unique()) == 5


IMAGES = torch.zeros(2, 3, 4, 4)


def shrink(images):
    return images[..., 1:]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: as_augmentation([RandomFlip(), 3]),
            "augment[1] is 3 but must be a transform such as RandomFlip(), or a function from a batch of images to "
            "another.",
        ),
        (
            lambda: as_augmentation(RandomFlip),
            "augment[0] is the class RandomFlip. Give an object of it: RandomFlip().",
        ),
        (
            lambda: as_augmentation(stand_in("CutMix")),
            "augment[0] is torchvision's CutMix, which mixes labels itself. Take depthwise.CutMix().",
        ),
        (
            lambda: as_augmentation([RandomFlip(), shrink])(IMAGES),
            "augment[1]: shrink made 2x3x4x3 float32 on cpu of 2x3x4x4 float32 on cpu. "
            "Return a tensor like the one given.",
        ),
        (
            lambda: as_augmentation(torch.Tensor.double)(IMAGES),
            "augment[0]: double made 2x3x4x4 float64 on cpu of 2x3x4x4 float32 on cpu. "
            "Return a tensor like the one given.",
        ),
        (
            lambda: as_augmentation(lambda batch: None)(IMAGES),
            "augment[0]: <lambda> made a NoneType of 2x3x4x4 float32 on cpu. "
            "Return a tensor like the one given.",
        ),
        (
            lambda: as_augmentation(stand_in(result=shrink))(IMAGES),
            "augment[0]: RandomShift made 3x4x3 float32 on cpu of 3x4x4 float32 on cpu. "
            "Return a tensor like the one given.",
        ),
        (lambda: RandomFlip(1.5), "RandomFlip: horizontal is 1.5 but must be a number, at least 0 and at most 1."),
        (
            lambda: RandomFlip(vertical=True),
            "RandomFlip: vertical is True but must be a number, at least 0 and at most 1.",
        ),
        (lambda: RandomCrop(-1), "RandomCrop: padding is -1 but must be a whole number, 0 or more."),
        (lambda: RandomCrop(1.5), "RandomCrop: padding is 1.5 but must be a whole number, 0 or more."),
        (lambda: RandomCrop(fill="mean"), "RandomCrop: fill is 'mean' but must be 'reflect', 'edge' or a number."),
        (
            lambda: RandomAffine(degrees=(30, 10)),
            "RandomAffine: degrees is (30, 10) but must be a number, how far to go from 0 either way, or a pair "
            "(lowest, highest).",
        ),
        (
            lambda: RandomAffine(scale=1),
            "RandomAffine: scale is 1 but must be a number, how far to go from 1 either way, or a pair "
            "(lowest, highest), above 0.",
        ),
        (
            lambda: RandomAffine(shear=90),
            "RandomAffine: shear is 90 but must be a number, how far to go from 0 either way, or a pair "
            "(lowest, highest), above -90 and below 90.",
        ),
        (
            lambda: ColorJitter(contrast=float("nan")),
            "ColorJitter: contrast is nan but must be a number, how far to go from 1 either way, or a pair "
            "(lowest, highest), at least 0.",
        ),
        (
            lambda: RandomErasing(scale=0.3),
            "RandomErasing: scale is 0.3 but must be a pair (lowest, highest), at least 0 and at most 1.",
        ),
        (lambda: RandomErasing(fill="edge"), "RandomErasing: fill is 'edge' but must be 'mean' or a number."),
        (lambda: MixUp(0), "MixUp: alpha is 0 but must be a number, above 0."),
        (lambda: CutMix("1"), "CutMix: alpha is '1' but must be a number, above 0."),
    ],
)  # fmt: skip
def test_what_cannot_be(make, message):
    with pytest.raises(TrainingError) as error:
        make()
    assert str(error.value) == message


@pytest.mark.parametrize("entry", [*TRANSFORMS, CutMix()], ids=repr)
def test_rows_of_features_are_no_images(entry):
    name = type(entry).__name__
    with pytest.raises(DataError) as error:
        as_augmentation(entry)(torch.zeros(64, 10))
    assert str(error.value) == (
        f"{name}: needs images of shape (n_images, channels, height, width), but the batch is 64x10. "
        f"Leave {name} out, or give images."
    )


def test_a_transform_alone_needs_floats():
    with pytest.raises(DataError) as error:
        RandomFlip()(torch.zeros(1, 1, 2, 2, dtype=torch.uint8))
    assert str(error.value) == (
        "RandomFlip: needs floating-point values, but the images are torch.uint8. Give images.float()."
    )
