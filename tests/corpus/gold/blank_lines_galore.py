


import string




def caesar(text, shift):


    def move(c, alphabet):

        return alphabet[(alphabet.index(c) + shift) % 26]


    out = []

    for c in text:

        if c in string.ascii_lowercase:
            out.append(move(c, string.ascii_lowercase))

        elif c in string.ascii_uppercase:
            out.append(move(c, string.ascii_uppercase))

        else:
            out.append(c)


    return "".join(out)
