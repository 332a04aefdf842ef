"""Image size and budget -> the best architectures, found exactly.  Knows nothing of torch.

``problem`` says what is asked, ``axes`` what the rules allow along one side of the image, ``states`` which stages may
follow each other, ``pieces`` what each of them costs, ``front`` searches, ``limits`` tells why nothing deeper exists.
"""

from depthwise.designer.designing import design
from depthwise.designer.designs import Design, DesignSet
from depthwise.designer.limits import Limit
from depthwise.designer.problem import Budget

__all__ = ["Budget", "Design", "DesignSet", "Limit", "design"]
