"""``python -m depthwise`` and the command ``depthwise``."""

import signal

from depthwise.cli import main as run


def main() -> None:
    """Run the command line as a program of its own."""
    if hasattr(signal, "SIGPIPE"):  # `depthwise rules | head` has read enough: end as other programs do
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    run()


if __name__ == "__main__":
    main()
