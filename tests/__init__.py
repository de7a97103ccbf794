"""The tests, against real git; the language they speak is `tests.lab`."""
