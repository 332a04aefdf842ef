"""``python -m depthwise`` and the command ``depthwise``."""

from depthwise.cli import main

if __name__ == "__main__":
    main()
