#!/usr/bin/env bash
# Guess: what mcap's Python writer writes, its reader reads.
# Behaviour: with `repeat_channels=False` (the specification lets a summary leave the channels out) the channels stand only
#   inside the chunks, and `make_reader(file).iter_messages()` fails with KeyError; without log-time order by
#   NonSeekingReader all messages are there.
# Versions: mcap 1.6.0, CPython 3.11.
# For our users: the reference library is no way around rosbags' gaps; `astra import-bag` looks into the chunks itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mcap==1.6.0
cat > "$folder/try.py" <<'PYTHON'
import sys
from importlib.metadata import version

from mcap.reader import NonSeekingReader, make_reader
from mcap.writer import Writer

path = sys.argv[1]
with open(path, 'wb') as file:
    writer = Writer(file, repeat_channels=False)
    writer.start('', 'example')
    schema = writer.register_schema('Note', 'jsonschema', b'{"type": "object"}')
    channel = writer.register_channel('/notes', 'json', schema)
    for number in range(160):
        writer.add_message(channel, number + 1, b'{}', number + 1)
    writer.finish()
with open(path, 'rb') as file:
    in_file_order = sum(1 for _ in NonSeekingReader(file).iter_messages(log_time_order=False))
with open(path, 'rb') as file:
    try:
        found = f'{sum(1 for _ in make_reader(file).iter_messages())} messages'
    except Exception as error:
        found = repr(error)
print(f'mcap {version("mcap")}: make_reader: {found}; NonSeekingReader: {in_file_order} messages')
sys.exit(found != 'KeyError(1)' or in_file_order != 160)
PYTHON
"$folder/venv/bin/python" "$folder/try.py" "$folder/run.mcap"
