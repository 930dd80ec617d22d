GRÜSSE = {"de": "Grüß Gott", "ja": "こんにちは", "ar": "مرحبا", "emoji": "👋🏽👨‍👩‍👧"}
π = 3.141592653589793


def größe(радиус: float) -> float:
    """Fläche eines Kreises — “exakt” genug, π·r² … ≤ 1 % Fehler."""
    return π * радиус**2


def greet(lang, name="Zoë"):
    return f"{GRÜSSE.get(lang, 'Hello')}, {name}‼"
