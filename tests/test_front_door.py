import importlib

import pytest

import depthwise


@pytest.mark.parametrize("name", [name for names in depthwise.ROOMS.values() for name in names])
def test_every_public_name_is_there_and_says_what_it_is(name):
    thing = getattr(depthwise, name)
    assert thing.__name__.split(".")[-1] == name  # a module, such as dw.datasets, has its path before it
    assert thing.__doc__ and len(thing.__doc__.splitlines()[0]) > 10


def test_rooms_tell_their_public_names():
    for room, names in depthwise.ROOMS.items():
        assert set(names) <= set(importlib.import_module(f"depthwise.{room}").__dict__)


def test_the_list_of_names_is_sorted_and_complete():
    assert depthwise.__all__ == ["__version__", *sorted(depthwise.__all__[1:])]
    assert dir(depthwise) == sorted(depthwise.__all__)


def test_an_unknown_name_is_told():
    with pytest.raises(AttributeError, match="depthwise has no 'analyse'"):
        depthwise.analyse  # noqa: B018
