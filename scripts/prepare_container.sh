#!/bin/sh
# What a manylinux (dnf) or musllinux (apk) container lacks for building telewire; run once in each by cibuildwheel.
set -eu
if command -v dnf >/dev/null; then
    dnf install -y perl-core cmake
else
    apk add --no-cache perl cmake make gcc g++ linux-headers
fi
curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain stable
