#!/bin/sh
# One environment a peer, so that no framework sees another's packages, or ours.
#
#     benchmarks/peers/make_environments.sh FOLDER [PEER...]
#
# A peer is the middle of requirements-*.txt here; all of them without a name.  PYTHON names the interpreter.  pip obeys
# its own variables: on Linux let it find PyTorch's build for the processor, or it takes the one with CUDA.
set -eu

here=$(dirname "$0")
folder=${1:?the folder to make the environments in}
shift
[ $# -gt 0 ] || set -- $(cd "$here" && ls requirements-*.txt | sed 's/requirements-\(.*\)\.txt/\1/')

for peer; do
    echo "$folder/$peer"
    "${PYTHON:-python3}" -m venv "$folder/$peer"
    "$folder/$peer/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$here/requirements-$peer.txt"
done
