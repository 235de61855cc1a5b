"""Result files: every figure with the command, commit, machine and date that it comes from."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True,
                              cwd=Path(__file__).parent).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ''


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(':', 1)[1].strip() for line in lines
                 if line.startswith('model name')), platform.processor())


def provenance() -> dict:
    """What was run, of which commit, where and when."""
    # What is measured: the code and the models, not the result files that this run may write.
    changed = _output('git', 'status', '--porcelain', '--', ':/astra_ros', ':/models', ':/setup.py',
                      ':/constraints.txt')
    command = ['astra', *sys.argv[1:]]
    return {'command': shlex.join(command),
            'commit': _output('git', 'rev-parse', '--short', 'HEAD') + ('+' if changed else ''),
            'machine': f'{_processor()}, {os.cpu_count()} cores',
            'python': platform.python_version(),
            'date': datetime.now(timezone.utc).strftime('%Y-%m-%d')}


def write_result(path: Path, figures: dict) -> None:
    """Write `figures` and their provenance as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**provenance(), **figures}, indent=1) + '\n')
    print(f'figures written to {path}')
