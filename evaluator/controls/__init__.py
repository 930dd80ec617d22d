"""What is run before any model is asked: references, empty and wrong solutions."""
