#!/usr/bin/env bash
# An editable installation and an older copy of the same package on PYTHONPATH.
#
# The guess: PYTHONPATH comes before site-packages. So with an older checkout on it, `import thing` and all of its
# modules are those of the older checkout, and a module that it lacks is a ModuleNotFoundError.
# The behaviour (setuptools 80.9.0, `pip install -e` of a package beside its setup.py): the installation adds a finder
# at the end of sys.meta_path. It answers for every name that begins with "thing.". A module that the older checkout
# lacks comes from the installed one, without a word: two versions in one process. `try: from thing import new` with
# ModuleNotFoundError for the older versions never sees it.
# For our users: `astra bench --against` measures an older build in the environment of the present one. Its processes
# end the search for modules of this package before that finder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'setuptools==80.9.0'
mkdir -p "$folder/new/thing" "$folder/old/thing"
echo 'from setuptools import setup; setup(name="thing", version="2", packages=["thing"])' > "$folder/new/setup.py"
echo 'version = 2' > "$folder/new/thing/__init__.py"
echo 'version = 2' > "$folder/new/thing/added.py"
echo 'version = 1' > "$folder/old/thing/__init__.py"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-build-isolation -e "$folder/new"
cd /
PYTHONPATH="$folder/old" "$folder/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import thing

print("setuptools", version("setuptools"), "; the package is version", thing.version)
try:
    from thing import added

    print("its module 'added', which that version lacks, is of version", added.version)
    as_stated = (thing.version, added.version) == (1, 2)
except ModuleNotFoundError as error:
    print(error)
    as_stated = False
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
