#!/usr/bin/env bash
# Two severities from one line of code, logged by rclpy.
#
# The guess: `warn, tell = lambda text: log.warning(text), lambda text: log.info(text)` gives two functions that log.
# The behaviour (ros-rclpy 9.1.2, Kilted): rclpy keeps a record of each place that logs, by file, function and line. Both
# lambdas are the same place to it, so whichever is called second raises "ValueError: Logger severity cannot be changed
# between calls.", however far apart in time. The same holds for `(log.error if bad else log.info)(text)`. Written on two
# lines, both work.
# For our users: the second kind of message often comes late, such as "all right again" after a warning; in a timer's
# callback it then ends what the timer does. astra_ros gives each severity a line of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ros-rclpy[fastrtps]==9.1.2' 'numpy<2.3'
cat > "$folder/severity.py" <<'PY'
import sys
from importlib.metadata import version

from rclpy.logging import get_logger

log = get_logger("finding")
warn, tell = lambda text: log.warning(text), lambda text: log.info(text)
warn_apart = lambda text: log.warning(text)
tell_apart = lambda text: log.info(text)


def chosen(bad, text):
    (log.error if bad else log.info)(text)


def second_call(first, second):
    first()
    try:
        second()
    except ValueError as error:
        return str(error)
    return "works"


same_line = second_call(lambda: warn("a camera is silent"), lambda: tell("it speaks again"))
choice = second_call(lambda: chosen(True, "bad"), lambda: chosen(False, "good"))
apart = second_call(lambda: warn_apart("a camera is silent"), lambda: tell_apart("it speaks again"))
print("ros-rclpy", version("ros-rclpy"))
print("two lambdas on one line:", same_line)
print("a severity that is chosen:", choice)
print("on two lines:", apart)
sys.exit("cannot be changed" not in same_line or "cannot be changed" not in choice or apart != "works")
PY
AMENT_PREFIX_PATH="$folder/venv" RMW_IMPLEMENTATION=rmw_fastrtps_cpp "$folder/venv/bin/python" "$folder/severity.py"
