"""The part that runs inside the container: the warden (PID 1) and the children it starts.

Standard library and pytest only. The host copies these files into the image and never imports them.
"""
