"""Every error of depthwise, and how a guess is offered.

::

    DepthwiseError(ValueError)
    ├── LayerError       a layer record was given a wrong argument
    ├── NotationError    a notation string, TOML file or pattern cannot be read, or a list cannot be written in it
    ├── GraphError       layers are wired wrongly: an unknown input, a name twice, a missing shortcut
    │   └── SizeError    two sizes clash: carries message, remedy and layer
    │       └── DoesNotFit   a map vanishes, or a kernel does not fit
    ├── TargetError      what was handed over is not a network that depthwise can read
    ├── RuleError        a rule or profile is unknown, or a fix cannot be applied to what was handed over
    ├── DesignError      the designer was asked for what cannot be
    │   └── NoDesignError  no network obeys the rules within the budget
    ├── DataError        images or labels cannot be read or do not fit
    │   └── UnsplitError  a part was asked of images that do not come in parts
    ├── TrainingError    the network cannot be trained as asked
    │   └── LostProcessError  one of several processes that train together has ended
    ├── FileError        a saved network cannot be written or read
    └── StudyError       a study folder is another study's, or cannot be written or read

A message says where, what (both clashing numbers) and what to do.  All of them are ``ValueError``, as scikit-learn's
callers expect; the command line prints the message alone and exits with status 2.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class DepthwiseError(ValueError):
    """Base of all errors that a user of depthwise can cause."""


class LayerError(DepthwiseError):
    """A layer record was given an argument it cannot have."""


class NotationError(DepthwiseError):
    """A notation cannot be read, or a layer list cannot be written in it."""


class GraphError(DepthwiseError):
    """Layers are wired in a way that is no network."""


class SizeError(GraphError):
    """A map would vanish, a kernel does not fit, or two sizes clash.

    Attributes
    ----------
    message
        What is wrong, without the full stop.
    remedy
        What to do about it, without the last full stop; empty where nothing is known.
    layer
        Where; ``None`` where it is about the images.

    Examples
    --------
    >>> print(SizeError("a 5x5 kernel does not fit into its 3x3 input", "Use larger images", "conv2d7"))
    layer 'conv2d7': a 5x5 kernel does not fit into its 3x3 input. Use larger images.
    """

    def __init__(self, message: str, remedy: str = "", layer: str | None = None) -> None:
        super().__init__(message, remedy, layer)  # all of them, so that a pickled one is the same
        self.message = message
        self.remedy = remedy
        self.layer = layer

    def __str__(self) -> str:
        place = "" if self.layer is None else f"layer {self.layer!r}: "
        return place + " ".join(f"{part}." for part in (self.message, self.remedy) if part)


class DoesNotFit(SizeError):  # noqa: N818 -- it says what is wrong, as all of them do in a sentence
    """A window is larger than what it slides over, or a map would have no pixel left."""


class TargetError(DepthwiseError):
    """What was handed over is not a network that depthwise can read."""


class RuleError(DepthwiseError):
    """A rule or profile is unknown, or a fix cannot be applied to what was handed over."""


class DesignError(DepthwiseError):
    """The designer was asked for what cannot be."""


class NoDesignError(DesignError):
    """No network obeys the rules within the budget."""


class DataError(DepthwiseError):
    """Images or labels cannot be read, or do not fit together."""


class UnsplitError(DataError):
    """A part was asked of images that do not come in parts."""


class TrainingError(DepthwiseError):
    """The network cannot be trained as asked."""


class LostProcessError(TrainingError):
    """One of several processes that train together has ended, or does not answer."""


class FileError(DepthwiseError):
    """A saved network cannot be written or read."""


class StudyError(DepthwiseError):
    """A study folder is that of another study, or cannot be written or read."""


def did_you_mean(word: object, known: Iterable[str], most: int = 1) -> str:
    """A sentence that offers the names nearest to a wrong one, with a space before it; nothing if none is near.

    >>> did_you_mean("adm", ["adam", "sgd"])
    " Did you mean 'adam'?"
    """
    guesses = get_close_matches(str(word), list(known), most)
    return f" Did you mean {' or '.join(map(repr, guesses))}?" if guesses else ""
