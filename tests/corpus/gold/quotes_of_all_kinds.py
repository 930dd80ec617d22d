SINGLE = 'it\'s'
DOUBLE = "she said \"hi\""
TRIPLE = '''a "quoted" 'word' '''
BYTES = b'\x00\xff'
RAW = r"C:\path"
MIXED = "don't" 'say "no"' """multi
line"""


def pick(n):
    return [SINGLE, DOUBLE, TRIPLE, BYTES, RAW, MIXED][n]
