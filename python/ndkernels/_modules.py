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
    "gru": "_recurrent",
    "gru_backward": "_recurrent",
    "im2col": "_convolution",
    "lstm": "_recurrent",
    "lstm_backward": "_recurrent",
    "softmax": "_softmax",
}
