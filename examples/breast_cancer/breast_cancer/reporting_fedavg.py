"""Federated averaging that prints one JSON line a round, tells refusals, and fails where a round brings nothing."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import FedAvg


class ReportingFedAvg(FedAvg):
    """FedAvg with a report; takes the arguments of FedAvg."""

    _round_started_s = 0.0

    def configure_train(self, server_round: int, *rest: Any, **named: Any) -> Iterable[Message]:
        """As FedAvg, and the round's time starts."""
        self._round_started_s = time.monotonic()
        return super().configure_train(server_round, *rest, **named)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """As FedAvg.

        Raises:
            RuntimeError: no node trained.
        """
        replies = list(replies)
        arrays, metrics = super().aggregate_train(server_round, replies)
        said = _tell_refusals(server_round, replies)
        if arrays is None:
            raise RuntimeError(
                f"round {server_round}: no node sent trained weights{said}; the SuperNodes' logs say why"
            )
        return arrays, metrics

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """As FedAvg, and the round is reported.

        Raises:
            RuntimeError: no node evaluated.
        """
        replies = list(replies)
        metrics = super().aggregate_evaluate(server_round, replies)
        if metrics is None:
            said = _tell_refusals(server_round, replies)
            raise RuntimeError(f"round {server_round}: no node evaluated the model{said}; the SuperNodes' logs say why")
        results = [reply for reply in replies if not reply.has_error()]
        report = {
            "round": server_round,
            "loss": round(float(metrics["loss"]), 6),
            "accuracy": round(float(metrics["accuracy"]), 6),
            "nodes": len(results),
            "examples": sum(int(reply.content["metrics"]["num-examples"]) for reply in results),
            "seconds": round(time.monotonic() - self._round_started_s, 3),
        }
        print(json.dumps(report), flush=True)
        return metrics


def _tell_refusals(server_round: int, replies: list[Message]) -> str:
    """Print a JSON line for each reason that nodes gave instead of a result; the same as a text, for an error."""
    errors = Counter((reply.error.code, reply.error.reason or "") for reply in replies if reply.has_error())
    # A ClientApp's own error has a traceback as its reason: its last line tells most.
    text = ""
    for (code, reason), count in sorted(errors.items()):
        said = (reason.strip().splitlines() or ["no reason"])[-1]
        report = {"round": server_round, "failed": count, "asked": len(replies), "code": code, "reason": said}
        print(json.dumps(report), flush=True)
        text += f"; {count} of {len(replies)} nodes: {said} (code {code})"
    return text
