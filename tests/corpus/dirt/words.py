"""How models talk around code."""

import random

BEFORE = (
    "Here is a Python function that does what you described:",
    "Certainly! Below is a Python solution for the problem:",
    "Sure, here's one way to implement it in Python:",
    "Sure! I'd be happy to help you with that.",
    "**Solution**",
    "### Python Implementation",
    "Here's the completed code:",
    "To solve this, we iterate over the input once and keep track of what we have seen so far.\n\nHere's the code:",
    "You can do this as follows (note the use of `None` as a default):",
    " Here is a possible implementation of the function:",
    "ure. Here is how you can write it in Python.",
    "## Approach\n\n1. Check the input.\n2. Walk over the items; for each item, update the result.\n3. Return the result.\n\n## Code",
    "The code below is quite simple: it doesn't use any libraries, and it's O(n).",
    "Ah, a clever user! *adjusts glasses* I'm glad you asked for this.",
    "Great question! \U0001f680 Let's build it step by step.\n\n---\n\n### \u2705 Final code:",
    "> Write a program as described.\n\nHere you go:",
)

AFTER = (
    "I hope this helps! Let me know if you have any questions.",
    "This function works by keeping track of the intermediate results. It returns the final value at the end.",
    "Let me know if you'd like to handle more edge cases or add support for other types!",
    "**Explanation:**\n\n- The first line defines the function.\n- The loop goes over the items.\n- The result is returned.",
    "Note that this implementation assumes that the input is valid, i.e. `x is not None`.",
    "### Explanation\n\n1. **Initialization**: we set up the variables.\n2. **Iteration**: `for` each item we update them.\n3. **Return**: we return the result.\n\n### Complexity\n\n| | time | space |\n|---|---|---|\n| this | O(n) | O(1) |",
    "In this corrected solution, I've added a brief explanation of what happens. Let me know if you have any further questions!",
    "You can run this code in your local Python environment to test it.",
    "The time complexity is O(n log n) and the space complexity is O(n).\n\nIf you have any",
    "This approach ensures that all cases are handled: empty input, one item, and many items.",
)

BETWEEN = (
    "Next, we need the following:",
    "Then comes the main part:",
    "Now let's add the rest:",
    "With that in place, here is the second part:",
)

TASK = (
    "Write a Python program as described above. Return only code.",
    "Please complete the code below.",
    "Implement the functions. Do not use external libraries.",
)


def before(rng: random.Random) -> str:
    """Say something before the code."""
    return rng.choice(BEFORE)


def after(rng: random.Random) -> str:
    """Say something after the code."""
    return rng.choice(AFTER)


def gap(rng: random.Random) -> str:
    """Leave a line free, or do not."""
    return rng.choice(("\n\n", "\n\n", "\n"))
