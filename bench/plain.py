"""The edits of a batch in the files themselves, as a plain script would make them: BATCH, once."""

import json
import sys
from pathlib import Path

texts: dict[str, str] = {}
for op in json.loads(Path(sys.argv[1]).read_text()):
    path = op["path"]
    if path not in texts:
        texts[path] = Path(path).read_bytes().decode()
    if texts[path].count(op["old"]) != 1:
        sys.exit(f"{path}: not there once")
    texts[path] = texts[path].replace(op["old"], op["new"])
for path, text in texts.items():
    Path(path).write_bytes(text.encode())
