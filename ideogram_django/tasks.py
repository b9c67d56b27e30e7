"""Waking workers through ``django.tasks``, which came with Django 6.0.

``IDEOGRAM_DJANGO = {"DISPATCHER": "ideogram_django.tasks.TasksDispatcher"}``
"""

from __future__ import annotations

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from ideogram_django import conf, drains, wakeups

try:
    from django.tasks import task, task_backends
    from django.tasks.backends.immediate import ImmediateBackend
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True

    # A task must lie in a module, and checks its queue when it is made: by the site's own name, as
    # a site need not have a queue called "default". What counts is the one given when it is put.
    @task(queue_name=conf.current().QUEUE)
    def drain() -> None:
        """What a worker of the task backend calls; see :mod:`ideogram_django.drains`."""
        drains.work_in_queue()


class TasksDispatcher(wakeups.Dispatcher):
    """The backend ``TASKS["default"]``, on the queue that ``QUEUE`` names."""

    backend = "default"
    """An alias in ``TASKS``."""

    def put(self) -> None:
        if problem := self._problem():
            raise ImproperlyConfigured(problem)
        drain.using(backend=self.backend, queue_name=conf.current().QUEUE).enqueue()

    def check(self) -> list[CheckMessage]:
        if problem := self._problem():
            return [
                Error(
                    problem,
                    hint=(
                        "Set TASKS to a backend that has workers of its own, or take DISPATCHER "
                        "out of IDEOGRAM_DJANGO to work with django-rq."
                    ),
                    id="ideogram_django.E012",
                )
            ]
        return super().check()

    def _problem(self) -> str:
        """Why nothing can be put on this queue; empty if it can."""
        if not AVAILABLE:
            return "The tasks dispatcher needs django.tasks, which came with Django 6.0."
        if isinstance(task_backends[self.backend], ImmediateBackend):
            # It would run the drain inside the page that asks for a picture.
            return f"TASKS[{self.backend!r}] is the immediate backend, which has no workers."
        queues = task_backends[self.backend].queues
        if queues and conf.current().QUEUE not in queues:
            known = ", ".join(sorted(queues))
            return (
                f"IDEOGRAM_DJANGO['QUEUE'] names {conf.current().QUEUE!r}, which is not among the "
                f"queues of TASKS[{self.backend!r}]: {known}."
            )
        return ""
