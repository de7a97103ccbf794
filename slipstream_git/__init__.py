"""slipstream-git: change sets for git, staged as objects and landed as git would land them."""

__version__ = "0.1.0"
