"""Every rule, in the order in which findings are told."""

from __future__ import annotations

from depthwise.rules.activated_logits import activated_logits
from depthwise.rules.bias_before_norm import bias_before_norm
from depthwise.rules.checkerboard import checkerboard
from depthwise.rules.coarse_bfloat16 import coarse_bfloat16
from depthwise.rules.constant_pixels import constant_pixels
from depthwise.rules.critical_convolution import critical_convolution
from depthwise.rules.dead_branch import dead_branch
from depthwise.rules.dead_units import dead_units
from depthwise.rules.deep_without_norm import deep_without_norm
from depthwise.rules.dense_heavy import dense_heavy
from depthwise.rules.dense_without_dropout import dense_without_dropout
from depthwise.rules.double_activation import double_activation
from depthwise.rules.drifting_input import drifting_input
from depthwise.rules.dropout_before_norm import dropout_before_norm
from depthwise.rules.easier_validation import easier_validation
from depthwise.rules.even_kernel import even_kernel
from depthwise.rules.excess_coverage import excess_coverage
from depthwise.rules.exploding_gradients import exploding_gradients
from depthwise.rules.gridding import gridding
from depthwise.rules.heavy_convolution import heavy_convolution
from depthwise.rules.input_not_divisible import input_not_divisible
from depthwise.rules.kernel_exceeds_input import kernel_exceeds_input
from depthwise.rules.kernel_on_single_pixel import kernel_on_single_pixel
from depthwise.rules.large_pool_window import large_pool_window
from depthwise.rules.late_large_kernel import late_large_kernel
from depthwise.rules.learning_rate_too_high import learning_rate_too_high
from depthwise.rules.learning_rate_too_low import learning_rate_too_low
from depthwise.rules.loss_not_falling import loss_not_falling
from depthwise.rules.loss_not_finite import loss_not_finite
from depthwise.rules.low_capacity import low_capacity
from depthwise.rules.memory_hot_spot import memory_hot_spot
from depthwise.rules.misaligned_branches import misaligned_branches
from depthwise.rules.missing_activation import missing_activation
from depthwise.rules.mostly_padding import mostly_padding
from depthwise.rules.norm_on_single_value import norm_on_single_value
from depthwise.rules.overfitting import overfitting
from depthwise.rules.pixels_dropped import pixels_dropped
from depthwise.rules.pool_before_head import pool_before_head
from depthwise.rules.repeated_images import repeated_images
from depthwise.rules.rule import Rule
from depthwise.rules.saturated_softmax import saturated_softmax
from depthwise.rules.shape_clash import shape_clash
from depthwise.rules.shrinking_channels import shrinking_channels
from depthwise.rules.skipped_pixels import skipped_pixels
from depthwise.rules.small_field import small_field
from depthwise.rules.softmax_before_loss import softmax_before_loss
from depthwise.rules.tiny_norm_batches import tiny_norm_batches
from depthwise.rules.unbalanced_classes import unbalanced_classes
from depthwise.rules.underfitting import underfitting
from depthwise.rules.uneven_updates import uneven_updates
from depthwise.rules.unfit_targets import unfit_targets
from depthwise.rules.unpadded_shrinkage import unpadded_shrinkage
from depthwise.rules.unproductive_convolution import unproductive_convolution
from depthwise.rules.unscaled_images import unscaled_images
from depthwise.rules.vanishing_gradients import vanishing_gradients
from depthwise.rules.width_mismatch import width_mismatch

RULES: tuple[Rule, ...] = (
    kernel_exceeds_input, shape_clash, pixels_dropped, input_not_divisible, even_kernel, misaligned_branches,
    large_pool_window, skipped_pixels, unpadded_shrinkage, gridding, dead_branch, kernel_on_single_pixel, checkerboard,
    low_capacity, shrinking_channels,
    excess_coverage, unproductive_convolution, critical_convolution, small_field, mostly_padding,
    dense_heavy, memory_hot_spot, late_large_kernel, heavy_convolution,
    bias_before_norm, dropout_before_norm, norm_on_single_value, deep_without_norm,
    missing_activation, double_activation,
    dense_without_dropout,
    softmax_before_loss, activated_logits, pool_before_head, width_mismatch,
    loss_not_finite, exploding_gradients, vanishing_gradients, uneven_updates, learning_rate_too_high,
    learning_rate_too_low, dead_units, drifting_input, saturated_softmax, loss_not_falling, unscaled_images,
    constant_pixels, unfit_targets, unbalanced_classes, repeated_images, overfitting, underfitting, easier_validation,
    tiny_norm_batches, coarse_bfloat16,
)  # fmt: skip
"""One a file of this folder, family by family; a new rule is one file and one name here."""
