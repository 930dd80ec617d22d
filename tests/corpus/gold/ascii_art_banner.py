BANNER = r"""
 __  __                _
|  \/  | ___ _ __   __| |
| |\/| |/ _ \ '_ \ / _` |
| |  | |  __/ | | | (_| |
|_|  |_|\___|_| |_|\__,_|
----------------------------
>>> ready
+++ 3 added
--- 2 removed
@@ nothing @@
"""


def banner(width=40):
    return "\n".join(line.center(width) for line in BANNER.strip("\n").split("\n"))
