"""``python -m tests.reliability.presses <how many> <size of each>``: many presses, one process.

Waits for a line on its standard input, so that several of them start together, and prints how
many were taken and how many were refused for the limit.
"""

from __future__ import annotations

import json
import sys

import django
from django.core.exceptions import ValidationError

django.setup()

from ideogram_django.models import GeneratedImage  # noqa: E402


def main(presses: int, size: int) -> None:
    sys.stdin.readline()
    outcome = {"taken": 0, "over_limit": 0}
    for number in range(presses):
        wishes = [{"prompt": f"Fox {number}.{one}"} for one in range(size)]
        try:
            GeneratedImage.objects.generate_many(wishes)
        except ValidationError as error:
            outcome[str(error.code)] = outcome.get(str(error.code), 0) + 1
        else:
            outcome["taken"] += 1
    sys.stdout.write(f"{json.dumps(outcome)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
