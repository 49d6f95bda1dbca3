#!/usr/bin/env python3
"""Writes the tree of README.md with Python's tarfile in the forms it has: make_python.py DIRECTORY"""
import io
import sys
import tarfile

WHEN = 1000000000
LONG = "usr/" + "d" * 90 + "/" + "f" * 90


def entry(name, kind, mode, body=b"", link="", uid=0, gid=0, device=(0, 0)):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, len(body), link
    info.uid, info.gid, info.mtime = uid, gid, WHEN
    info.devmajor, info.devminor = device
    return info, io.BytesIO(body)


TREE = [
    entry("usr", tarfile.DIRTYPE, 0o755),
    entry("usr/bin", tarfile.DIRTYPE, 0o755),
    entry("usr/bin/large", tarfile.REGTYPE, 0o755, b"large\n" * 1000),
    entry("usr/bin/small", tarfile.REGTYPE, 0o4711, b"small\n"),
    entry("usr/empty", tarfile.REGTYPE, 0o600),
    entry("usr/hard", tarfile.LNKTYPE, 0o755, link="usr/bin/large"),
    entry("usr/owned", tarfile.REGTYPE, 0o640, b"owned by somebody\n", uid=1000, gid=100),
    entry("usr/pipe", tarfile.FIFOTYPE, 0o644),
    entry("usr/soft", tarfile.SYMTYPE, 0o777, link="bin/small"),
    entry("usr/tty", tarfile.CHRTYPE, 0o620, device=(5, 1)),
    entry(LONG.rsplit("/", 1)[0], tarfile.DIRTYPE, 0o755),
    entry(LONG, tarfile.REGTYPE, 0o644, b"a long name\n"),
]

for name, form in (("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT), ("ustar", tarfile.USTAR_FORMAT)):
    with tarfile.open(f"{sys.argv[1]}/python-{name}.tar", "w", format=form) as archive:
        for info, body in TREE:
            body.seek(0)
            archive.addfile(info, body if info.isreg() else None)
