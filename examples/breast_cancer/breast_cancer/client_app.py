"""What a SuperNode runs: trains or evaluates the model on the node's own rows.

Weights, counts and means leave the node; rows never do.
"""

from __future__ import annotations

from pathlib import Path

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from breast_cancer import model
from breast_cancer.data import NodeData, load

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Reply with weights trained further on the node's training rows."""
    rows = _rows(context).train
    weights = model.train(
        message.content["arrays"].to_numpy_ndarrays()[0],
        rows,
        steps=int(context.run_config["local-steps"]),
        learning_rate=float(context.run_config["learning-rate"]),
        l2=float(context.run_config["l2"]),
    )
    metrics = MetricRecord({"num-examples": len(rows)})
    return Message(content=RecordDict({"arrays": ArrayRecord([weights]), "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Reply with loss and accuracy of the received weights on the node's test rows."""
    rows = _rows(context).test
    loss, accuracy = model.evaluate(message.content["arrays"].to_numpy_ndarrays()[0], rows)
    metrics = MetricRecord({"loss": loss, "accuracy": accuracy, "num-examples": len(rows)})
    return Message(content=RecordDict({"metrics": metrics}), reply_to=message)


def _rows(context: Context) -> NodeData:
    config = context.node_config
    missing = [key for key in ("data-path", "partition-id", "num-partitions") if key not in config]
    if missing:
        raise ValueError(f"the SuperNode's --node-config lacks {', '.join(missing)}; it has {sorted(config)}")
    return load(
        Path(str(config["data-path"])),
        partition_id=int(config["partition-id"]),
        num_partitions=int(config["num-partitions"]),
    )
