# SPDX-License-Identifier: Apache-2.0
"""An initramfs archive (cpio "newc") in memory. Archives may be joined by concatenation; everything
belongs to root and no time of day may enter it, so that equal input gives an equal archive."""
import os
import stat


class Archive:
    def __init__(self):
        self._parts = []
        self._seen = set()
        self._inode = 0

    def _entry(self, name, mode, data=b"", rdev=(0, 0)):
        encoded = name.encode() + b"\0"
        self._inode += 1
        header = b"070701" + b"".join(b"%08X" % v for v in (
            self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(encoded), 0))
        self._parts += [header, encoded, b"\0" * (-(len(header) + len(encoded)) % 4),
                        data, b"\0" * (-len(data) % 4)]

    def directory(self, path, mode=0o755):
        path = path.strip("/")
        if path and path not in self._seen:
            self.directory(os.path.dirname(path))
            self._seen.add(path)
            self._entry(path, stat.S_IFDIR | mode)

    def _add(self, path, mode, *rest):
        path = path.strip("/")
        if path in self._seen:
            return
        self.directory(os.path.dirname(path))
        self._seen.add(path)
        self._entry(path, mode, *rest)

    def data(self, path, content, mode=0o644):
        if isinstance(content, str):
            content = content.encode()
        self._add(path, stat.S_IFREG | mode, content)

    def link(self, path, target):
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def node(self, path, major, minor, mode=0o600):
        self._add(path, stat.S_IFCHR | mode, b"", (major, minor))

    def file(self, path, source):
        """A file with its mode, or a directory with all that is in it."""
        if os.path.isdir(source):
            self.directory(path)
            for name in sorted(os.listdir(source)):
                self.file(os.path.join(path, name), os.path.join(source, name))
            return
        with open(source, "rb") as f:
            self.data(path, f.read(), stat.S_IMODE(os.stat(source).st_mode))

    def bytes(self):
        end = Archive()
        end._entry("TRAILER!!!", 0)
        raw = b"".join(self._parts + end._parts)
        return raw + b"\0" * (-len(raw) % 512)
