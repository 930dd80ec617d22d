class Typed:
    def __init__(self, kind):
        self.kind = kind

    def __set_name__(self, owner, name):
        self.name = "_" + name

    def __get__(self, instance, owner=None):
        return self if instance is None else getattr(instance, self.name)

    def __set__(self, instance, value):
        if not isinstance(value, self.kind):
            raise TypeError(f"{self.name[1:]} must be {self.kind.__name__}")
        setattr(instance, self.name, value)


class Meta(type):
    def __new__(mcls, name, bases, namespace):
        namespace["fields"] = [key for key, value in namespace.items() if isinstance(value, Typed)]
        return super().__new__(mcls, name, bases, namespace)


class Person(metaclass=Meta):
    name = Typed(str)
    age = Typed(int)
