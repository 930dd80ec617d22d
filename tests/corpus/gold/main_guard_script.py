import argparse
import sys


def parse(argv):
    parser = argparse.ArgumentParser(description="Count the words of files")
    parser.add_argument("files", nargs="*")
    return parser.parse_args(argv)


def count_words(text):
    return len(text.split())


def main(argv=None):
    options = parse(argv)
    for name in options.files:
        with open(name, encoding="utf-8") as file:
            print(name, count_words(file.read()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
