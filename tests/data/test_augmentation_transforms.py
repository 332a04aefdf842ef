"""Every transform against what it is said to do."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from depthwise.data.augmentation import ColorJitter, RandomAffine, RandomCrop, RandomErasing, RandomFlip


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def some_images(*shape: int, last: bool = False) -> torch.Tensor:
    images = torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 255
    return images.contiguous(memory_format=torch.channels_last) if last else images


# Flips


@pytest.mark.parametrize(("flip", "axes"), [((1, 0), [3]), ((0, 1), [2]), ((1, 1), [2, 3]), ((0, 0), [])])
def test_a_certain_flip(flip, axes):
    images = some_images(5, 3, 4, 6)
    assert torch.equal(RandomFlip(*flip)(images), images.flip(axes))


def test_as_many_are_flipped_as_asked_for():
    images = some_images(1, 1, 1, 2).expand(4000, 1, 1, 2)
    flipped = (RandomFlip(0.3)(images)[:, 0, 0, 0] != images[:, 0, 0, 0]).float().mean()
    assert abs(flipped - 0.3) < 4 * (0.3 * 0.7 / 4000) ** 0.5


# Crops


@pytest.mark.parametrize("shape", [(3, 2, 5, 7), (2, 1, 3, 3), (1, 3, 1, 1)])
@pytest.mark.parametrize(("fill", "mode"), [("reflect", "reflect"), ("edge", "replicate"), (9, "constant")])
@pytest.mark.parametrize("last", [False, True])
def test_a_crop_is_one_of_the_shifts(shape, fill, mode, last):
    images = some_images(*shape, last=last)
    padding = min(2, min(shape[2:]) - 1) if fill == "reflect" else 2
    padded = F.pad(images, (padding,) * 4, mode=mode, **({"value": 9} if mode == "constant" else {}))
    height, width = shape[2:]
    steps = range(2 * padding + 1)
    shifts = torch.stack([padded[:, :, y : y + height, x : x + width] for y in steps for x in steps])
    made = RandomCrop(padding, fill)(images)
    assert bool((shifts == made).flatten(2).all(2).any(0).all())


def test_every_shift_is_equally_likely():
    image = torch.arange(25.0).view(1, 1, 5, 5)
    n_images = 5000
    corners = RandomCrop(2, fill=-1)(image.expand(n_images, 1, 5, 5))[:, 0, 2, 2].long()
    assert chisquare(torch.bincount(corners, minlength=25)).pvalue > 0.01


def test_a_crop_farther_than_the_image_mirrors_it_again():
    made = RandomCrop(9)(torch.tensor([[[[1.0, 2.0, 3.0]]]]).expand(200, 1, 1, 3))
    assert {tuple(row) for row in made[:, 0, 0].tolist()} == {(1, 2, 3), (2, 3, 2), (3, 2, 1), (2, 1, 2)}


# Rotation, scale, shear


@pytest.mark.parametrize("fill", ["reflect", "edge", 9])
@pytest.mark.parametrize("shape", [(4, 3, 8, 5), (1, 1, 1, 1), (2, 1, 1, 6)])
def test_no_change_is_the_identity(fill, shape):
    images = some_images(*shape)
    torch.testing.assert_close(RandomAffine(fill=fill)(images), images, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("side", [1, 2, 7, 8])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns(side, turns):
    images = some_images(3, 2, side, side)
    made = RandomAffine(degrees=(90 * turns, 90 * turns))(images)
    torch.testing.assert_close(made, torch.rot90(images, turns, (2, 3)), atol=1e-2, rtol=0)


def test_a_half_turn_of_an_oblong_image():
    images = some_images(3, 2, 4, 9)
    torch.testing.assert_close(RandomAffine(degrees=(180, 180))(images), images.flip(2, 3), atol=1e-2, rtol=0)


def test_a_shift_by_whole_pixels():
    images = some_images(2, 3, 8, 12)
    made = RandomAffine(translate=(0.25, 0.25), fill=0)(images)
    torch.testing.assert_close(made[:, :, 2:, 3:], images[:, :, :-2, :-3], atol=1e-2, rtol=0)
    torch.testing.assert_close(made[:, :, :2], torch.zeros(2, 3, 2, 12), atol=1e-2, rtol=0)


def test_scale_zooms_about_the_center():
    ramp = torch.arange(9.0).expand(1, 1, 5, 9)
    made = RandomAffine(scale=(2, 2))(ramp)
    torch.testing.assert_close(made, (4 + (ramp - 4) / 2), atol=1e-3, rtol=0)


def test_shear_leans_upright_lines_to_the_right():
    # 45 degrees: a row goes to the right by its distance above the center.
    upright = torch.zeros(1, 1, 5, 5)
    upright[..., 2] = 1
    made = RandomAffine(shear=(45, 45), fill=0)(upright)
    torch.testing.assert_close(made[0, 0], torch.eye(5).flip(1), atol=1e-5, rtol=0)


def test_rotation_comes_after_shear_and_scale():
    # The corner (x, y up) = (1, 1) of a 7x7 image: doubled to (2, 2), sheared to (4, 2), cut off; (0, 1) -> (0, 2) ->
    # (2, 2) -> turned by 90 degrees to (-2, 2).
    image = torch.zeros(1, 1, 7, 7)
    image[0, 0, 3 - 1, 3] = 1
    made = RandomAffine(degrees=(90, 90), scale=(2, 2), shear=(45, 45), fill=0)(image)
    assert made[0, 0, 3 - 2, 3 - 2] == pytest.approx(1, abs=1e-4)


@given(st.floats(-180, 180), st.floats(0.5, 2), st.floats(-40, 40))
@settings(deadline=None, max_examples=30)
def test_affine_maps_move_points_as_the_formula_says(degrees, scale, shear):
    # On a ramp a x + b y bilinear interpolation is exact, so a new pixel holds the ramp at its source.
    height, width = 9, 7
    y, x = torch.meshgrid(torch.arange(height) - 4.0, torch.arange(width) - 3.0, indexing="ij")
    made = RandomAffine((degrees, degrees), 0, (scale, scale), (shear, shear), fill="edge")(
        torch.stack([x, y])[None].contiguous()
    )[0]
    turn, slant = torch.deg2rad(torch.tensor([degrees, shear], dtype=torch.float64))
    # With y up: R S scale.
    rotation = torch.stack([torch.stack([turn.cos(), -turn.sin()]), torch.stack([turn.sin(), turn.cos()])])
    forward = rotation @ torch.tensor([[1, slant.tan()], [0, 1]], dtype=torch.float64) * scale
    source = torch.linalg.solve(forward, torch.stack([x, -y]).double().flatten(1)).view(2, height, width)
    inside = (source[0].abs() < 3) & (source[1].abs() < 4)
    torch.testing.assert_close(made[0][inside], source[0][inside].float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(made[1][inside], -source[1][inside].float(), atol=1e-3, rtol=0)


# Colors and rectangles


def test_brightness_and_contrast():
    images = some_images(4, 3, 5, 6)
    mean = images.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(ColorJitter(brightness=(1.5, 1.5), contrast=0)(images), 1.5 * images)
    made = ColorJitter(brightness=0, contrast=(0.25, 0.25))(images)
    torch.testing.assert_close(made, mean + 0.25 * (images - mean))
    both = ColorJitter(brightness=(1.5, 1.5), contrast=(0.25, 0.25))(images)
    torch.testing.assert_close(both, 1.5 * made)
    torch.testing.assert_close(ColorJitter(0, 0)(images), images)


def test_factors_lie_within_their_range():
    factors = ColorJitter(brightness=0.3, contrast=0)(torch.ones(2000, 1, 1, 1)).flatten()
    assert 0.7 <= factors.min() < 0.71 and 1.29 < factors.max() <= 1.3


@pytest.mark.parametrize(("fill", "expected"), [("mean", None), (-5, -5.0)])
def test_erasing_touches_one_rectangle(fill, expected):
    images = some_images(300, 3, 16, 12)
    made = RandomErasing(probability=0.6, fill=fill)(images)
    changed = (made != images).any(1)
    rows, columns = changed.any(2), changed.any(1)
    assert torch.equal(changed, rows[:, :, None] & columns[:, None, :])
    for side in (rows, columns):
        assert bool((side.int().diff(dim=1).abs().sum(1) <= 2).all())
    value = images.mean((2, 3)) if expected is None else torch.full((300, 3), expected)
    assert torch.equal(made, torch.where(changed[:, None], value[:, :, None, None], images))
    area = changed.float().mean((1, 2))
    erased = area > 0
    assert abs(erased.float().mean() - 0.6) < 4 * (0.6 * 0.4 / 300) ** 0.5
    # A side is off by less than a pixel, and long rectangles are cut.
    assert area.max() < 0.33 + (16 + 12 + 1) / (16 * 12)
    assert area[erased].mean() == pytest.approx(0.175, abs=0.03)


def test_erased_rectangles_lie_anywhere():
    images = torch.ones(3000, 1, 8, 8)
    made = RandomErasing(1, scale=(1 / 16, 1 / 16), ratio=(1, 1), fill=0)(images)
    often = (made == 0).float().mean(0)[0]
    assert (made == 0).sum((1, 2, 3)).unique().tolist() == [4]
    # Of the 7 places of two pixels, the two at the border are as likely as each other; symmetric over both axes.
    torch.testing.assert_close(often, often.flip(0), atol=0.03, rtol=0)
    torch.testing.assert_close(often, often.T, atol=0.03, rtol=0)
