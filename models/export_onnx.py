"""The fine-tuned weights as an ONNX file of 8-bit whole numbers: what onnxruntime runs in the worker."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

if TYPE_CHECKING:
    from collections.abc import Mapping

LAYERS, HEADS, WIDTH = 6, 12, 384
OPSET = 20


class _Graph:
    """Nodes one after the other; every call gives the name of its output."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def do(self, kind: str, *inputs: str, **attributes: object) -> str:
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def linear(self, x: str, name: str) -> str:
        turned = self.constant(f"{name}.turned", self.weights[f"{name}.weight"].T)
        return self.do("Add", self.do("MatMul", x, turned), self.weight(f"{name}.bias"))

    def norm(self, x: str, name: str) -> str:
        return self.do(
            "LayerNormalization", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), epsilon=1e-12
        )


def export(weights: Mapping[str, np.ndarray], path: Path, about: Mapping[str, str]) -> None:
    """Write the model; inputs `ids` and `mask` (texts, word pieces) of int64, output `scores` (texts, 3)."""
    graph = _Graph(weights)
    mask = graph.do("Cast", "mask", to=TensorProto.FLOAT)
    x = _embedded(graph)
    one, far, middle = (
        graph.constant(n, np.array(v, t))
        for n, v, t in (("one", 1.0, np.float32), ("far", -1e9, np.float32), ("middle", [1, 2], np.int64))
    )
    hidden = graph.do("Unsqueeze", graph.do("Mul", graph.do("Sub", one, mask), far), middle)
    for layer in range(LAYERS):
        x = _layer(graph, x, f"encoder.layer.{layer}.", hidden)
    _head(graph, x, mask)
    _write(graph, path, about)


def _embedded(graph: _Graph) -> str:
    length = graph.do("Gather", graph.do("Shape", "ids"), graph.constant("second", np.array([1])))
    zero = graph.constant("zero", np.array([0]))
    places = graph.do(
        "Slice", graph.constant("places", graph.weights["embeddings.position_embeddings.weight"][:96]), zero, length
    )
    words = graph.do("Gather", graph.weight("embeddings.word_embeddings.weight"), "ids")
    kind = graph.constant("kind", graph.weights["embeddings.token_type_embeddings.weight"][0])
    return graph.norm(graph.do("Add", graph.do("Add", words, places), kind), "embeddings.LayerNorm")


def _layer(graph: _Graph, x: str, at: str, hidden: str) -> str:
    split = graph.constant("split", np.array([0, 0, HEADS, WIDTH // HEADS]))
    joined = graph.constant("joined", np.array([0, 0, WIDTH]))
    heads = {
        name: graph.do(
            "Transpose",
            graph.do("Reshape", graph.linear(x, f"{at}attention.self.{name}"), split),
            perm=[0, 2, 3, 1] if name == "key" else [0, 2, 1, 3],
        )
        for name in ("query", "key", "value")
    }
    root = graph.constant("root", np.array(np.sqrt(WIDTH // HEADS), np.float32))
    share = graph.do("Div", graph.do("MatMul", heads["query"], heads["key"]), root)
    share = graph.do("Softmax", graph.do("Add", share, hidden), axis=-1)
    heard = graph.do("Transpose", graph.do("MatMul", share, heads["value"]), perm=[0, 2, 1, 3])
    heard = graph.linear(graph.do("Reshape", heard, joined), f"{at}attention.output.dense")
    x = graph.norm(graph.do("Add", x, heard), f"{at}attention.output.LayerNorm")
    inner = graph.linear(graph.do("Gelu", graph.linear(x, f"{at}intermediate.dense")), f"{at}output.dense")
    return graph.norm(graph.do("Add", x, inner), f"{at}output.LayerNorm")


def _head(graph: _Graph, x: str, mask: str) -> None:
    last, across = graph.constant("last", np.array([2])), graph.constant("across", np.array([1]))
    summed = graph.do("ReduceSum", graph.do("Mul", x, graph.do("Unsqueeze", mask, last)), across, keepdims=0)
    mean = graph.do("Div", summed, graph.do("ReduceSum", mask, across, keepdims=1))
    scores = graph.linear(mean, "head")
    graph.nodes.append(helper.make_node("Identity", [scores], ["scores"], name="scores"))


def _write(graph: _Graph, path: Path, about: Mapping[str, str]) -> None:
    made = helper.make_graph(
        graph.nodes,
        "second-opinion",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "pieces"]) for name in ("ids", "mask")],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["texts", 3])],
        list(graph.constants.values()),
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    helper.set_model_props(model, dict(about))
    onnx.checker.check_model(model)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        onnx.save(model, whole)
        quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True, reduce_range=False)
