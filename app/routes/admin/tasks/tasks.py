"""Tasks: what is being done, how far it is, and that it need not be done after all."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from app.gateway import Gateway
from app.storage.tasks.task import Task


def add_task_routes(admin: Blueprint, gateway: Gateway) -> None:
    tasks = gateway.tasks

    @admin.get("/tasks")
    def list_tasks() -> Response:
        return jsonify(success=True, tasks=[task_answer(task) for task in tasks.list()])

    @admin.get("/tasks/<task_id>")
    def show_task(task_id: str) -> Response:
        return jsonify(success=True, task=task_answer(tasks.get(task_id)))

    @admin.delete("/tasks/<task_id>")
    def cancel_task(task_id: str) -> Response:
        return jsonify(success=True, task=task_answer(tasks.cancel(task_id)))


def task_answer(task: Task) -> dict[str, Any]:
    """As the API tells it."""
    told = task._asdict()
    del told["ordered_at_ms"]
    return told | {"state": task.state.value}
