"""Small modules that do one thing each that makes tracing hard, and a ResNet as torchvision writes it."""

import torch
from torch import nn
from torch.nn import functional as F


class Gate(nn.Module):
    """Squeeze and excitation with 1x1 convolutions and functions."""

    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 4, 1)
        self.fc2 = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class ViewedGate(nn.Module):
    """The same with dense layers, views and expand_as."""

    def __init__(self, channels):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // 4), nn.ReLU(), nn.Linear(channels // 4, channels), nn.Sigmoid()
        )

    def forward(self, x):
        batch, channels, _, _ = x.size()
        gate = self.fc(self.pool(x).view(batch, channels)).view(batch, channels, 1, 1)
        return x * gate.expand_as(x)


class ConvNeXtBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.gamma * self.narrow(F.gelu(self.widen(y)))
        return x + y.permute(0, 3, 1, 2)


class Transformer(nn.Module):
    """Patches, an encoder layer of PyTorch's, and attention written out."""

    def __init__(self, class_token):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 16)) if class_token else None
        self.position = nn.Parameter(torch.zeros(1, 64 + class_token, 16))
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.project = nn.Linear(16, 16)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        if self.token is not None:
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        x = self.encoder(x + self.position)
        batch, count, width = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(batch, count, 3, 2, width // 2).permute(2, 0, 3, 1, 4).unbind(0)
        weights = ((q @ k.transpose(-2, -1)) * 0.3).softmax(-1)
        x = x + self.project((weights @ v).transpose(1, 2).reshape(batch, count, width))
        x = self.norm(x)
        return self.head(x.mean(1) if self.token is None else x[:, 0])


class UNet(nn.Module):
    """A skip that is cropped to the size of what was enlarged."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 8, 3)
        self.deep = nn.Conv2d(8, 16, 3)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.out = nn.Conv2d(16, 8, 3)

    def forward(self, x):
        skip = F.relu(self.down(x))
        up = self.up(F.relu(self.deep(F.max_pool2d(skip, 2))))
        edge = (skip.shape[2] - up.shape[2]) // 2
        skip = skip[:, :, edge : edge + up.shape[2], edge : edge + up.shape[3]]
        return self.out(torch.cat([skip, up], 1))


class Focus(nn.Module):
    """Slices with a step as channels, channel shuffle, pixel shuffle, shared weights, paddings, unused weights."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(12, 8, 3, padding="same")
        self.slope = nn.PReLU(2)
        self.shared = nn.Conv2d(4, 4, 3)
        self.unused = nn.Linear(3, 3)

    def forward(self, x):
        corners = [x[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]
        x = self.slope(F.pixel_shuffle(self.stem(torch.cat(corners, 1)), 2))
        x = torch.cat([x, x], 1)
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous()
        x = self.shared(self.shared(x.view(batch, channels, height, width)))
        left, right = x.chunk(2, 1)
        x = torch.cat((left * right.sigmoid(), torch.max(left, right)), 1)
        x = F.interpolate(x, scale_factor=2, mode="bilinear")
        x += 1
        x = F.pad(F.pad(x, (1, 2, 3, 4)), (1, 1, 1, 1), mode="reflect")
        x = F.adaptive_avg_pool2d(x, 3)
        return x.amax(1, keepdim=True) * x


class Patchify(nn.Module):
    """Space to depth by a view, a dense layer on pixels of a block, and back to a map."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(3 * 16, 8)
        self.conv = nn.Conv2d(32, 4, 3)

    def forward(self, x):
        batch, channels, height, width = x.shape
        x = x.view(batch, channels, height // 4, 4, width // 4, 4).permute(0, 2, 4, 3, 5, 1)
        x = self.embed(x.reshape(batch, height // 4 * (width // 4), 16 * channels))
        x = x.transpose(1, 2).reshape(batch, 8, height // 8, 2, width // 8, 2)
        return self.conv(x.permute(0, 1, 3, 5, 2, 4).reshape(batch, 32, height // 8, width // 8))


class ByValue(nn.Module):
    """A way that depends on values, and a buffer that counts the calls."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        self.calls += 1
        x = self.conv(x)
        if x.mean() > -100:
            x = F.relu(x)
        return x * float(x.sum())


class Block(nn.Module):
    """A basic block of a ResNet."""

    def __init__(self, before, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride > 1 or before != width:
            self.downsample = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.downsample is not None:
            x = self.downsample(x)
        y += x
        return self.relu(y)


class ResNet18(nn.Module):
    """As torchvision writes it."""

    def __init__(self, classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
        self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))
