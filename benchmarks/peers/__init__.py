"""One small program a peer, each run in an environment of its own, and the wire between them and a benchmark."""
