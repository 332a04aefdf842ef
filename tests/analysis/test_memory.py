"""Memory is what torch keeps for its backward pass, and what lives at one time in its forward pass, to the byte."""

import json
import weakref

import classic_networks as classics
import pytest
import torch
import tutorial_networks as tutorials
from hypothesis import given, settings
from strategies import layer_lists
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from depthwise.analysis import analyze_graph
from depthwise.analysis.memory import STATES, Memory, measure_memory
from depthwise.errors import GraphError
from depthwise.graph import Graph
from depthwise.layers import AvgPool2D, Conv2D, Dense, Dropout, MaxPool2D, Output, Residual
from depthwise.modules import build
from depthwise.trace import trace_module

SMALL = (3, 32, 32)
NETWORKS = {
    "net0": (tutorials.NET0, tutorials.DIGITS),
    "net4": (tutorials.NET4, tutorials.DIGITS),
    "netz": (tutorials.NETZ_COMPROMISE, tutorials.DIGITS),
    "blog": (tutorials.BLOG_NET, tutorials.DIGITS),
    "take 2": (tutorials.CIFAR_TAKE_2, tutorials.CIFAR),
    "dense": (tutorials.CIFAR_DENSE, tutorials.CIFAR),
    "alexnet": (classics.alexnet(), (3, 64, 64)),
    "vgg": (classics.vgg(1, 1, 2, 2, 2), SMALL),
    "resnet-18": (classics.resnet(2, 2, 2, 2), SMALL),
    "resnet-50": (classics.resnet(3, 4, 6, 3, bottleneck=True), SMALL),
    "mobilenet": (classics.mobilenet_v2(), SMALL),
    "densenet": (classics.densenet121(), SMALL),
    "u-net": (classics.unet(), SMALL),
}


@pytest.fixture(autouse=True)
def one_thread():
    """Maps this small only make threads wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def memory_of(layers, shape, **options) -> Memory:
    return measure_memory(Graph.from_layers(layers).at(shape), **options)


def storages_of(module: torch.nn.Module) -> set[int]:
    return {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}


def kept_by_torch(layers, shape, batch_size: int) -> int:
    return kept_by(build(Graph.from_layers(layers).at(shape), gemm=False), shape, batch_size)


def kept_by(network: torch.nn.Module, shape, batch_size: int) -> int:
    """Bytes of the storages that autograd holds after a forward pass, weights and running statistics left out."""
    network.train()
    own, held = storages_of(network), {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = network(torch.rand(batch_size, *shape))
    del output
    return sum(storage.nbytes() for storage in held.values())


class Watch(TorchDispatchMode):
    """Bytes of all storages that are alive, and the most that were at one time."""

    def __init__(self, ignored: set[int]) -> None:
        super().__init__()
        self.ignored, self.users, self.now, self.peak = ignored, {}, 0, 0

    def add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, count = storage.data_ptr(), storage.nbytes()
        if key in self.ignored:
            return
        self.now += 0 if self.users.get(key) else count
        self.users[key] = self.users.get(key, 0) + 1
        weakref.finalize(tensor, self.drop, key, count)
        self.peak = max(self.peak, self.now)

    def drop(self, key: int, count: int) -> None:
        self.users[key] -= 1
        self.now -= 0 if self.users[key] else count

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor) and tensor.numel():
                self.add(tensor)
        return result


def peak_in_torch(layers, shape, batch_size: int) -> int:
    network = build(Graph.from_layers(layers).at(shape), gemm=False).eval()
    setattr(network, network.sized.nodes[0].name, torch.nn.Identity())  # standardizing copies the images twice
    images, watch = torch.rand(batch_size, *shape), Watch(storages_of(network))
    watch.add(images)
    with torch.no_grad(), watch:
        network(images)
    return watch.peak


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_kept_for_the_backward_pass(name):
    layers, shape = NETWORKS[name]
    assert memory_of(layers, shape, batch_size=2).saved_bytes == kept_by_torch(layers, shape, 2)


class Gate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = torch.relu(self.squeeze(nn.functional.adaptive_avg_pool2d(x, 1)))
        return x * torch.sigmoid(self.excite(gate))


MODULES = {
    "in place": lambda: [
        *[nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3)],
        *[nn.ReLU(inplace=True), nn.Flatten(), nn.Dropout(), nn.Linear(8 * 13 * 13, 5)],
    ],
    "gate": lambda: [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), Gate(8), nn.Conv2d(8, 4, 3)],
    "norms": lambda: [
        *[nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.GELU(), nn.AvgPool2d(2), nn.InstanceNorm2d(8), nn.PReLU()],
        *[nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 4), nn.Softmax(1)],
    ],
    "resizing": lambda: [
        *[nn.Conv2d(3, 8, 3), nn.Hardswish(), nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1)],
        *[nn.Conv2d(8, 4, 3), nn.PixelShuffle(2), nn.Conv2d(1, 2, 3), nn.AdaptiveMaxPool2d(3)],
    ],
}


@pytest.mark.parametrize("name", MODULES)
def test_what_is_kept_by_modules_of_ones_own(name):
    module, shape = nn.Sequential(*MODULES[name]()), (3, 32, 32)
    graph = trace_module(module, shape).at()
    assert measure_memory(graph, batch_size=2).saved_bytes == kept_by(module, shape, 2)


@settings(max_examples=40)
@given(layer_lists())
def test_what_is_kept_by_any_network(drawn):
    layers, shape = drawn
    assert memory_of(layers, shape, batch_size=3).saved_bytes == kept_by_torch(layers, shape, 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_most_activations_at_one_time(name):
    layers, shape = NETWORKS[name]
    assert memory_of(layers, shape, batch_size=2).peak == peak_in_torch(layers, shape, 2)


def test_single_operations():
    """By hand, in values of four bytes, for one image of 1x10x10."""
    image, conv, pooled = 100, 4 * 8 * 8, 4 * 4 * 4
    for layers, values in {
        (Conv2D(4),): image + conv,  # what went in, and the rectified result
        (Conv2D(4, activation=None),): image,
        (Conv2D(4, activation="silu"),): image + conv,  # its input, which is the convolution's output
        (Conv2D(4), MaxPool2D()): image + conv + 2 * pooled,  # indices take eight bytes
        (Conv2D(4), AvgPool2D()): image + conv,
        (Conv2D(4), Dropout()): image + 2 * conv,  # its mask
        (Conv2D(4), Dropout(0.0)): image + conv,
        (Conv2D(4), Dense(3, None)): image + conv,  # flattening takes nothing
        (MaxPool2D(), Conv2D(4)): 25 + 4 * 3 * 3,  # no gradient goes to the images
        (Residual([Conv2D(1, padding=1, activation=None)], activation=None),): image,  # a sum keeps nothing
        (Conv2D(4, 2, padding="same"),): 11 * 11 + 4 * 100,  # a copy, padded on one side
        (Conv2D(4, norm="batch"),): image + 2 * conv + 2 * 4,
    }.items():
        assert memory_of(layers, (1, 10, 10)).saved_bytes == 4 * values, layers


def test_batch_type_and_optimizer():
    layers, shape = [Conv2D(8, bias=False), Output(10)], (1, 28, 28)
    plain = memory_of(layers, shape)
    params = 4 * (72 + (8 * 26 * 26 + 1) * 10)
    assert (plain.parameters, plain.gradients, plain.optimizer_state) == (params, params, 2 * params)
    assert plain.training == 4 * params + 4 * (28 * 28 + 8 * 26 * 26)
    assert plain.inference == params + 4 * (28 * 28 + 2 * 8 * 26 * 26)
    many = memory_of(layers, shape, batch_size=100)
    assert (many.saved_bytes, many.peak) == (100 * plain.saved_bytes, 100 * plain.peak)
    half = memory_of(layers, shape, dtype="bfloat16", optimizer="sgd")
    assert (half.parameters, half.optimizer_state, half.saved_bytes) == (
        params // 2,
        params // 2,
        plain.saved_bytes // 2,
    )
    assert memory_of([Conv2D(8), MaxPool2D()], shape, dtype="float16").saved["maxpool2d2"] == 8 * 8 * 13 * 13


def test_optimizers_keep_as_much_as_torchs():
    from depthwise.training.optimizers import OPTIMIZERS

    assert OPTIMIZERS.keys() - STATES.keys() == {"adafactor", "lbfgs"}  # by rows and columns; by steps
    for name in STATES:
        kind = OPTIMIZERS[name]
        weight = torch.nn.Parameter(torch.rand(1000))
        weight.sum().backward()
        more = {"momentum": 0.9} if kind is torch.optim.SGD else {}
        optimizer = kind([weight], lr=0.1, **more)
        optimizer.step()
        kept = sum(value.numel() for value in optimizer.state[weight].values() if torch.is_tensor(value))
        memory = memory_of([Dense(10)], (10,), optimizer=name)
        assert memory.optimizer_state == kept // 1000 * memory.parameters, name


def test_the_layer_that_takes_most_is_named():
    memory = analyze_graph(Graph.from_layers(tutorials.NET4).at(tutorials.DIGITS)).memory(batch_size=64)
    assert memory.largest_saved == ("conv2d1", 64 * 4 * 32 * 28 * 28)
    assert list(memory.saved.values()) == sorted(memory.saved.values(), reverse=True)
    assert memory.peak_layer == "conv2d1"
    bottom = [Conv2D(1, 1), *[Conv2D(64, 1)] * 2, MaxPool2D(2), Conv2D(8)]
    assert memory_of(bottom, (1, 16, 16)).peak_layer == "conv2d2"


def test_a_dropout_at_rest_takes_nothing():
    layers = [Conv2D(8, 1, activation=None), Dropout(), MaxPool2D(16)]
    assert memory_of(layers, (8, 16, 16)).peak == 4 * (2 * 8 * 16 * 16 + 8)


def test_a_skip_lengthens_lives():
    chain = [Conv2D(8, padding=1, activation=None)] * 3
    alone, around = memory_of(chain, (8, 16, 16)), memory_of([Residual(chain, activation=None)], (8, 16, 16))
    assert alone.peak == around.peak == 4 * 3 * 8 * 16 * 16  # the images are kept by whoever gave them
    stem = Conv2D(8, padding=1, activation=None)
    assert memory_of([stem, *chain], (8, 16, 16)).peak == alone.peak
    assert memory_of([stem, Residual(chain, activation=None)], (8, 16, 16)).peak == alone.peak + 4 * 8 * 16 * 16


def test_the_record_is_json():
    memory = memory_of([Conv2D(8), Output()], (1, 28, 28), batch_size=5)
    assert json.loads(json.dumps(memory.to_dict())) == memory.to_dict()
    assert memory.to_dict()["training"] == memory.training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0 but must be 1 or more."),
        ({"dtype": "int8"}, "dtype is 'int8' but must be one of float64, float32, bfloat16, float16."),
        (
            {"optimizer": "adm"},
            "optimizer is 'adm' but must be one of sgd, momentum, nesterov, rmsprop, adagrad, asgd, adam, adamw, "
            "nadam, radam, adamax, adadelta, rprop.",
        ),
    ],
)
def test_errors(options, message):
    with pytest.raises(GraphError) as caught:
        memory_of([Conv2D(8)], (1, 28, 28), **options)
    assert str(caught.value) == message
