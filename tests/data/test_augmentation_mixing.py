"""Mixed images against loops over pixels."""

import pytest
import torch

from depthwise.data.augmentation import CutMix, MixUp


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def some_images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 255


def naive_mix(images, own, partners):
    """One image, one pixel at a time."""
    made = torch.empty_like(images)
    for i, partner in enumerate(partners.tolist()):
        for y in range(images.shape[2]):
            for x in range(images.shape[3]):
                share = float(own[y, x])
                made[i, :, y, x] = share * images[i, :, y, x] + (1 - share) * images[partner, :, y, x]
    return made


@pytest.mark.parametrize("mixer", [MixUp(), MixUp(0.2), CutMix(), CutMix(0.5)], ids=repr)
def test_mixing_against_a_loop(mixer):
    images = some_images(4, 3, 5, 6)
    for seed in range(8):
        torch.manual_seed(seed)
        own = mixer.draw_own(images)
        torch.manual_seed(seed)
        mixed = mixer.mix(images)
        assert mixed.partners.tolist() == [3, 0, 1, 2]
        own = own.expand(5, 6)
        torch.testing.assert_close(mixed.images, naive_mix(images, own, mixed.partners))
        assert float(mixed.share) == pytest.approx(float(own.mean()), abs=1e-6)


def test_cutmix_pastes_one_rectangle_and_counts_its_pixels():
    images = torch.arange(4.0)[:, None, None, None].expand(4, 3, 9, 6)
    parts = []
    for _ in range(200):
        mixed = CutMix().mix(images)
        pasted = mixed.images[:, 0] == mixed.partners[:, None, None]
        own = mixed.images[:, 0] == images[:, 0]
        assert bool((own ^ pasted).all())
        assert bool((pasted == pasted[0]).all())
        assert torch.equal(pasted[0], pasted[0].any(1)[:, None] & pasted[0].any(0)[None])
        assert float(mixed.share) == pytest.approx(1 - int(pasted[0].sum()) / 54, abs=1e-6)
        parts.append(float(mixed.share))
    assert min(parts) < 0.4 and max(parts) > 0.95


def test_shares_of_mixup_are_beta_distributed():
    images = torch.zeros(1, 1)
    shares = torch.stack([MixUp(0.5).mix(images).share for _ in range(1000)])
    assert shares.mean() == pytest.approx(0.5, abs=0.04)
    assert shares.var() == pytest.approx(1 / 8, abs=0.015)  # 1 / (4 (2 α + 1))


def test_mixup_mixes_rows_of_features_too():
    rows = torch.tensor([[0.0, 1.0], [10.0, 11.0]])
    mixed = MixUp().mix(rows)
    torch.testing.assert_close(mixed.images, mixed.share * rows + (1 - mixed.share) * rows.flip(0))


def test_the_area_of_a_cut_is_what_the_share_leaves():
    # So large an alpha makes every λ 0.5: sides of 71 pixels of 100, where the border does not cut them.
    images = torch.zeros(2, 1, 100, 100)
    sides = [int((CutMix(1e6).draw_own(images) == 0).any(1).sum()) for _ in range(60)]
    assert max(sides) in (70, 71)
