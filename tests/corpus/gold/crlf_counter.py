from collections import Counter


def most_common_word(text):
    words = text.lower().split()
    if not words:
        return None
    return Counter(words).most_common(1)[0][0]
