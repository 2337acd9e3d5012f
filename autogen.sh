#!/bin/sh
# Makes ./configure from configure.ac.  Needed in a git checkout only.
set -eu
cd "$(dirname "$0")"
mkdir -p m4
exec autoreconf --install --force
