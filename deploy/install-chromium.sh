#!/bin/sh
# The browser tests need Chromium. Installed with apt where that is possible (Debian, Ubuntu and
# root); otherwise one line says what to do, and the browser tests say so too when they run.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing chromium for the browser tests"
    export DEBIAN_FRONTEND=noninteractive
    if apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; then
        exit 0
    fi
fi
echo "chromium is not installed: install it with your package manager for the browser tests" >&2
