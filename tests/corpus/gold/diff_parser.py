def apply_patch(lines, patch):
    """Apply a tiny patch.

    Lines that start with "+" are added, "-" removed:

--- a/file
+++ b/file
@@ -1,2 +1,2 @@
 kept
-old
+new
    """
    out, at = [], 0
    for mark, text in ((line[:1], line[1:]) for line in patch):
        if mark == "+":
            out.append(text)
        elif mark == "-":
            assert lines[at] == text
            at += 1
        else:
            out.append(lines[at])
            at += 1
    return out + lines[at:]
