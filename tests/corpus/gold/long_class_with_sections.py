class Inventory:
    """Keeps count of things.

    Steps:

    1. Create it::

           stock = Inventory()

    2. Add to it.
    """

    # ---- life cycle -------------------------------------------------

    def __init__(self):
        self.items: dict[str, int] = {}

    # ---- changes ----------------------------------------------------

    def add(self, name: str, amount: int = 1) -> None:
        """Add some. `amount` may not be negative.

        Args:
            name: what
            amount: how many

        Raises:
            ValueError: if amount < 0
        """
        if amount < 0:
            raise ValueError("negative amount")
        self.items[name] = self.items.get(name, 0) + amount

    def remove(self, name: str, amount: int = 1) -> None:
        if self.items.get(name, 0) < amount:
            raise KeyError(name)
        self.items[name] -= amount
        if not self.items[name]:
            del self.items[name]

    # ---- questions --------------------------------------------------

    def __contains__(self, name: object) -> bool:
        return name in self.items

    def total(self) -> int:
        return sum(self.items.values())
