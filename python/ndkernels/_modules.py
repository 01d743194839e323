"""In which module each function lies that is imported only when it is used."""

from __future__ import annotations

__all__ = ["MODULES"]

MODULES = {
    "conv1d": "_convolution",
    "conv1d_backward": "_convolution",
    "conv2d": "_convolution",
    "conv2d_backward": "_convolution",
    "conv3d": "_convolution",
    "conv3d_backward": "_convolution",
    "conv_transpose2d": "_convolution",
    "conv_transpose2d_backward": "_convolution",
    "im2col": "_convolution",
    "softmax": "_softmax",
}
