import re


# Section 1: reading


def read(text):
    return re.findall(r"\w+", text)


# Section 2: counting


def count(words):
    found = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return found
