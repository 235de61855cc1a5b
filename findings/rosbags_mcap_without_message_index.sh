#!/usr/bin/env bash
# Guess: rosbags yields the messages that it counts, or says why not.
# Behaviour: of an MCAP file whose chunks have no message index (optional in the MCAP specification; mcap's own writer
#   leaves it out on request) rosbags counts 160 messages and yields none, without an error.
# Versions: rosbags 0.11.9, mcap 1.6.0 (the writer), CPython 3.11.
# For our users: `astra import-bag` said "there are no messages in it" of such a recording. It now reads chunks itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rosbags==0.11.9 mcap==1.6.0
cat > "$folder/try.py" <<'PYTHON'
import sys
from importlib.metadata import version

from mcap.writer import IndexType, Writer
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

store, path = get_typestore(Stores.LATEST), sys.argv[1]
kind = 'std_msgs/msg/String'


def counted_and_yielded(**options):
    with open(path, 'wb') as file:
        writer = Writer(file, **options)
        writer.start('ros2', 'example')
        schema = writer.register_schema(kind, 'ros2msg', store.generate_msgdef(kind)[0].encode())
        channel = writer.register_channel('/words', 'cdr', schema)
        for number in range(160):
            data = bytes(store.serialize_cdr(store.types[kind](str(number)), kind))
            writer.add_message(channel, number + 1, data, number + 1)
        writer.finish()
    with Reader(path) as reader:
        return reader.message_count, sum(1 for _ in reader.messages())


whole = counted_and_yielded()
bare = counted_and_yielded(index_types=IndexType.ALL & ~IndexType.MESSAGE)
print(f'rosbags {version("rosbags")}: (counted, yielded) with message index {whole}, without {bare}')
sys.exit(whole != (160, 160) or bare != (160, 0))
PYTHON
"$folder/venv/bin/python" "$folder/try.py" "$folder/run.mcap"
