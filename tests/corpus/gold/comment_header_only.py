#!/usr/bin/env python3
# -*- coding: utf-8 -*-
# Roman numerals.
#
# Author: nobody in particular
# Usage: import and call to_roman()

VALUES = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
          (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]


def to_roman(number):  # 0 < number < 4000
    out = ""
    for value, letters in VALUES:
        # take as many as fit
        while number >= value:
            out += letters
            number -= value
    return out
