"""Makes a pytest file of the kinds of tests that recorded replies come with.

Each becomes one test function, which runs the recorded text in the script's own namespace, as its source did.
"""

_HEAD = """\
import solution


def _namespace():
    return {"__name__": "recorded", **{k: v for k, v in vars(solution).items() if not k.startswith("__")}}

"""

_ASSERTS = """
def test_recorded():
    exec(compile(TESTS, "recorded", "exec"), _namespace())
"""

_CHECK = """
def test_recorded():
    names = _namespace()
    exec(compile(TESTS, "recorded", "exec"), names)
    names["check"](names[NAME])
"""

_UNITTEST = """
def test_recorded():
    import io, types, unittest
    module = types.ModuleType("recorded")
    vars(module).update(_namespace())
    exec(compile(TESTS, "recorded", "exec"), vars(module))
    suite = unittest.TestSuite()
    for case in list(vars(module).values()):
        if isinstance(case, type) and issubclass(case, unittest.TestCase) and case.__module__ == "recorded":
            suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    assert result.testsRun and result.wasSuccessful(), (result.errors + result.failures)[0][1][-500:]
"""

_CHECKS = """
class Arg:
    def __init__(self, name):
        self.name = name


class Function:
    def __init__(self, name):
        import inspect
        self._call = getattr(solution, name)
        self.name = name
        self.args = [Arg(each) for each in inspect.signature(self._call).parameters]

    def call(self, *args, **kwargs):
        return self._call(*args, **kwargs)


def test_recorded():
    import json
    f = Function(NAME)
    for check in json.loads(TESTS):
        got = eval(check["assert"], {"f": f})
        wanted = check["eq-any"] if "eq-any" in check else [check["eq"]]
        assert got in wanted or json.loads(json.dumps(got, default=str)) in wanted, check
"""

_BODIES = {
    "self_contained_asserts": _ASSERTS,
    "plain_asserts": _ASSERTS,
    "humaneval_check": _CHECK,
    "unittest": _UNITTEST,
    "can_ai_code_checks": _CHECKS,
}


def as_pytest(kind: str, tests: str, entry_point: str) -> str:
    """One pytest file that passes where the recorded tests of this kind do.

    Raises:
        KeyError: the kind is not known.
    """
    return f"{_HEAD}\nTESTS = {tests!r}\nNAME = {entry_point!r}\n{_BODIES[kind]}"
