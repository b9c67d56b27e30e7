"""Killed anywhere, nothing is lost and nothing is paid twice. See README.md beside this file."""
