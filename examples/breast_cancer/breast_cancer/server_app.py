"""What the SuperLink runs: federated averaging, and one JSON line a round for whoever follows the run's log.

A round in which no node replies with a result ends the run as failed; Flower's own strategies would go on without one.
"""

from __future__ import annotations

from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp

from breast_cancer.model import initial_weights
from breast_cancer.prompt_grid import PromptGrid
from breast_cancer.reporting_fedavg import ReportingFedAvg

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train for the configured number of rounds."""
    config = context.run_config
    min_nodes = int(config["min-nodes"])
    strategy = ReportingFedAvg(min_train_nodes=min_nodes, min_evaluate_nodes=min_nodes, min_available_nodes=min_nodes)
    strategy.start(
        grid=PromptGrid(grid),
        initial_arrays=ArrayRecord([initial_weights()]),
        num_rounds=int(config["num-server-rounds"]),
        timeout=float(config["reply-timeout-s"]),
    )
