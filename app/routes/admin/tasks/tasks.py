"""Tasks: what is being done, how far it is, and that it need not be done after all."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from app.core.channels.shape import ID, TIME
from app.core.said.shapes import Anything, Listed, Named, OneOf, Shape, Text, Whole
from app.gateway import Gateway
from app.routes.openapi.operation import operation
from app.storage.tasks.task import Task, TaskState

TASK = Shape(
    {
        "id": ID,
        "kind": Text(),
        "channel_id": Text(meaning="Empty: it is for no channel alone"),
        "state": OneOf(tuple(state.value for state in TaskState)),
        "done": Whole(),
        "total": Whole(meaning="0: not known yet"),
        "message": Text(),
        "result": Named(Anything(), is_null=True),
        "started_at_ms": TIME,
        "ended_at_ms": TIME,
    },
    title="Task",
)


def add_task_routes(admin: Blueprint, gateway: Gateway) -> None:
    tasks = gateway.tasks

    @admin.get("/tasks")
    @operation("Lists tasks, those that ended lately among them.", answer={"tasks": Listed(TASK)})
    def list_tasks() -> Response:
        return jsonify(success=True, tasks=[task_answer(task) for task in tasks.list()])

    @admin.get("/tasks/<task_id>")
    @operation("Shows a task.", answer={"task": TASK})
    def show_task(task_id: str) -> Response:
        return jsonify(success=True, task=task_answer(tasks.get(task_id)))

    @admin.delete("/tasks/<task_id>")
    @operation("Cancels a task. What it has done stays done.", answer={"task": TASK})
    def cancel_task(task_id: str) -> Response:
        return jsonify(success=True, task=task_answer(tasks.cancel(task_id)))


def task_answer(task: Task) -> dict[str, Any]:
    """As the API tells it."""
    told = task._asdict()
    del told["ordered_at_ms"]
    return told | {"state": task.state.value}
