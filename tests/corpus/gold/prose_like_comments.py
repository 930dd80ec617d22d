# Here is a function that checks palindromes.
# Note: it ignores case, spaces and punctuation!
# Example usage:
#     is_palindrome("A man, a plan, a canal: Panama")  # True
def is_palindrome(text):
    # Step 1: keep letters and digits.
    kept = [c.lower() for c in text if c.isalnum()]
    # Step 2: compare with the reverse.
    return kept == kept[::-1]
# That's it! I hope this helps.
