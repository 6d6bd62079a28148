"""Modules that see: convolutions, pooling, normalization, residual and U-shaped nets."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.export import Dim
from torch.nn import functional

from .torch_case import Case

ROWS = ({0: Dim("rows", max=64)},)


def images(channels: int = 3, side: int = 8) -> Any:
    return lambda n: torch.randn(n, channels, side, side)


class Residual(nn.Module):
    def __init__(self, width: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or width != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Any) -> Any:
        short = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        return functional.relu(self.bn2(self.conv2(x)) + short)


def resnet() -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 1, 1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        Residual(4, 4),
        Residual(4, 6, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(2, 4, 3, padding=1)
        self.deep = nn.Conv2d(4, 4, 3, padding=1)
        self.up = nn.ConvTranspose2d(4, 4, 2, 2)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x: Any) -> Any:
        first = functional.relu(self.down(x))
        second = functional.relu(self.deep(functional.max_pool2d(first, 2)))
        return self.out(torch.cat([first, self.up(second)], 1))


class SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding="same")
        self.gate = nn.Sequential(nn.Linear(8, 2), nn.SiLU(), nn.Linear(2, 8), nn.Sigmoid())

    def forward(self, x: Any) -> Any:
        x = self.conv(x)
        return x * self.gate(x.mean((2, 3)))[:, :, None, None]


class Variational(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(64, 6)
        self.decoder = nn.Linear(3, 64)

    def forward(self, x: Any) -> Any:
        mean, log = self.encoder(x.flatten(1)).chunk(2, dim=1)
        z = mean + torch.randn_like(log) * torch.exp(0.5 * log) if self.training else mean
        return torch.sigmoid(self.decoder(z)).view(x.shape), mean, log


class PatchViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, 4)
        self.cls = nn.Parameter(torch.zeros(1, 1, 8))
        self.position = nn.Parameter(torch.randn(1, 5, 8) * 0.02)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, 0.1, "gelu", batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.position
        return self.head(self.layer(x)[:, 0])


class ConvNeXt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(4, 4, 7, padding=3, groups=4)
        self.norm = nn.LayerNorm(4, eps=1e-6)
        self.wide = nn.Linear(4, 16)
        self.narrow = nn.Linear(16, 4)
        self.scale = nn.Parameter(1e-1 * torch.ones(4))

    def forward(self, x: Any) -> Any:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + (self.scale * self.narrow(functional.gelu(self.wide(y)))).permute(0, 3, 1, 2)


class Detector(nn.Module):
    """Two heads, over features of two sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3, padding=1)
        self.boxes = nn.Conv2d(4, 4, 1)
        self.classes = nn.Conv2d(4, 5, 1)

    def forward(self, x: Any) -> Any:
        x = functional.leaky_relu(self.body(x), 0.1)
        levels = [x, functional.avg_pool2d(x, 2)]
        boxes = [self.boxes(level).flatten(2).permute(0, 2, 1) for level in levels]
        scores = [self.classes(level).flatten(2).permute(0, 2, 1) for level in levels]
        return {"boxes": torch.cat(boxes, 1), "scores": torch.cat(scores, 1).log_softmax(-1)}


CASES = {
    "lenet": Case(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(4, 6, 3),
            nn.Tanh(), nn.Flatten(), nn.Linear(24, 10), nn.Tanh(), nn.Linear(10, 3),
        ),
        images(1), ROWS,
    ),
    "vgg": Case(
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(True), nn.Conv2d(4, 4, 3, padding=1),
            nn.ReLU(True), nn.MaxPool2d(2, 2), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
            nn.Linear(16, 8), nn.ReLU(True), nn.Dropout(), nn.Linear(8, 3),
        ),
        images(), ROWS,
    ),
    "resnet": Case(resnet, images(), ROWS),
    "unet": Case(UNet, images(2), ROWS),
    "unet_any_size": Case(
        UNet, lambda n: torch.randn(2, 2, 4 * n, 4 * n),
        ({2: 4 * Dim("high", max=16), 3: 4 * Dim("wide", max=16)},),
    ),
    "squeeze_excite": Case(SqueezeExcite, images(), ROWS),
    "vae": Case(Variational, images(1), ROWS),
    "patches": Case(PatchViT, images(), ROWS, tolerance=1e-5),
    "depthwise": Case(ConvNeXt, images(4), ROWS),
    "detector": Case(Detector, images(), ROWS),
    "conv1d": Case(
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3, dilation=2), nn.ELU(), nn.AdaptiveMaxPool1d(3)),
        lambda n: torch.randn(n, 2, 16), ROWS,
    ),
    "conv3d": Case(
        lambda: nn.Sequential(nn.Conv3d(1, 2, 3), nn.BatchNorm3d(2), nn.MaxPool3d(2)),
        lambda n: torch.randn(n, 1, 6, 6, 6), ROWS,
    ),
    "generator": Case(
        lambda: nn.Sequential(
            nn.ConvTranspose2d(4, 6, 4), nn.BatchNorm2d(6), nn.ReLU(),
            nn.ConvTranspose2d(6, 1, 4, 2, 1), nn.Tanh(),
        ),
        lambda n: torch.randn(n, 4, 1, 1), ROWS,
    ),
    "discriminator": Case(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Dropout2d(0.3), nn.InstanceNorm2d(4),
            nn.Conv2d(4, 1, 4), nn.Flatten(), nn.Sigmoid(),
        ),
        images(1), ROWS,
    ),
    "mobilenet": Case(
        lambda: nn.Sequential(
            nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.Hardswish(),
            nn.Conv2d(6, 6, 3, 1, 1, groups=6), nn.BatchNorm2d(6), nn.ReLU6(),
            nn.Conv2d(6, 8, 1), nn.Hardsigmoid(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        ),
        images(), ROWS,
    ),
    "group_norm": Case(
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.Mish()), images(), ROWS
    ),
    "super_resolution": Case(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"), nn.PReLU(4), nn.PixelShuffle(2),
            nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1), nn.Conv2d(1, 1, 3),
        ),
        images(1), ROWS,
    ),
    "channels_last": Case(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).to(
            memory_format=torch.channels_last
        ),
        images(), ROWS,
    ),
}  # fmt: skip
