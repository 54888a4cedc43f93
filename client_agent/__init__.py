"""The agent at a receiving station: trusts nothing it has not verified, plays what it holds, reports what was watched.

It imports ``protocol`` and never ``server``. The long-running process never imports tuf: a pass that finds a new
timestamp runs in a child process, because loading metadata grows a process for good.
"""

VERSION = "0.1.0"
