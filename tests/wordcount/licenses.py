"""cairn-wordcount against coreutils on the licences that every Debian has."""

import os

from compare import check_against, regular_files
from harness import Harness, coreutils_table

FOLDER = "/usr/share/common-licenses"

if not os.path.isdir(FOLDER):
    print(FOLDER, "is not there")
    raise SystemExit(77)
with Harness() as h:
    files, links = regular_files(FOLDER)
    check_against(h, [FOLDER], coreutils_table(files),
                  {"plain": len(files), "gz": 0, "skipped": 0, "skipped_kinds": {}, "symlinks": links},
                  sum(os.path.getsize(file) for file in files))
h.finish()
