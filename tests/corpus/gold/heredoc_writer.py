import textwrap

SCRIPT = textwrap.dedent(
    """\
    cat > /tmp/hello.py << 'EOF'
    print("hello")
    EOF
    python /tmp/hello.py
    """
)


def commands(script=SCRIPT):
    return [line.strip() for line in script.splitlines() if line.strip()]
