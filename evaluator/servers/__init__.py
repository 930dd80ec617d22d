"""The model servers there are, and what they say of themselves."""
