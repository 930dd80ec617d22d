import unittest

from solution import to_roman


class ToRomanTest(unittest.TestCase):
    def test_small(self):
        self.assertEqual(to_roman(4), "IV")

    def test_table(self):
        for number, text in ((1, "I"), (9, "IX"), (1994, "MCMXCIV")):
            with self.subTest(number=number):
                self.assertEqual(to_roman(number), text)


if __name__ == "__main__":
    unittest.main()
