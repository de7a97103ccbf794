"""Agents' hosts: what slip tells them at their events, and how they come to know of it."""
