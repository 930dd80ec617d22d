def last_char(text):
    if not text:
        return ''
    return text[-1]