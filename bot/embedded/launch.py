"""Become another program that ends with its parent; from root, under an ordinary account if asked.

Run as a script (`python -I -S launch.py …`), so it imports nothing but the standard library.

PostgreSQL refuses to run as root. That its files lie below a closed folder, such as root's home, is no obstacle: the
account then keeps the one capability that opens files and folders (CAP_DAC_OVERRIDE), and no permission on the way
is changed.
"""

import argparse
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
"""Source of these numbers: the headers linux/prctl.h and linux/capability.h."""


def end_with_parent(parent: int, signum: int) -> None:
    """Ask the kernel to send this process a signal when its parent ends; elsewhere than on Linux, a watcher does."""
    if not sys.platform.startswith("linux"):
        watch_stdin(signum)
    elif ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signum, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel does not watch the parent")
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def watch_stdin(signum: int) -> None:
    """Leave a process behind that sends the signal when standard input ends: the parent holds its other end."""
    program = os.getpid()
    if os.fork():
        return
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    os.closerange(1, 1024)
    while os.read(0, 1024):
        continue
    if os.getppid() == program:
        os.kill(program, signum)
    os._exit(0)


def become(uid: int, gid: int, needs: list[str]) -> None:
    """Change from root to an account, keeping access to the paths that it could not reach by itself."""
    libc = ctypes.CDLL(None, use_errno=True)
    linux = sys.platform.startswith("linux")
    if linux:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if linux and not all(os.access(path, os.X_OK) for path in needs):
        _set_capabilities(libc, 1 << CAP_DAC_OVERRIDE)
        if libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the account can't be given access to the data folder")
    elif linux:
        _set_capabilities(libc, 0)


def _set_capabilities(libc: ctypes.CDLL, mask: int) -> None:
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "the capabilities of the account can't be set")


def main(argv: list[str] | None = None) -> None:
    """Read the arguments, change the account, and become the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--signal", type=int, help="sent when the parent ends")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--needs", action="append", default=[])
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(argv)
    try:
        if options.uid is not None:
            become(options.uid, options.gid, options.needs)
        if options.signal is not None:  # after the change of account, which would undo it
            end_with_parent(options.parent, options.signal)
        os.execv(options.command[0], options.command)  # noqa: S606
    except OSError as error:
        sys.exit(f"{options.command[0]} can't be started: {error}")


if __name__ == "__main__":
    main()
