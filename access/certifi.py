"""Stands in for the package certifi while this folder is first in PYTHONPATH.

Clients that take their certificate authorities from certifi, as azure-eventhub
does, then trust the local authority beside this folder besides the public ones.
"""
import os
import sys
import tempfile

_HERE = os.path.dirname(os.path.abspath(__file__))
_LOCAL = os.path.join(os.path.dirname(os.path.dirname(_HERE)), "ca.pem")


def contents():
    """The certificates of the real certifi, if there is one, and the local one."""
    parts = []
    for folder in sys.path:
        public = os.path.join(folder, "certifi", "cacert.pem")
        if os.path.isfile(public):
            with open(public, encoding="ascii") as f:
                parts.append(f.read())
            break
    with open(_LOCAL, encoding="ascii") as f:
        parts.append(f.read())
    return "\n".join(parts)


def where():
    """The path of a file that holds contents()."""
    path = os.path.join(_HERE, "bundle.pem")
    try:
        fd, new = tempfile.mkstemp(dir=_HERE)
    except OSError:  # the folder belongs to somebody else
        return _LOCAL
    with os.fdopen(fd, "w", encoding="ascii") as f:
        f.write(contents())
    os.replace(new, path)
    return path
