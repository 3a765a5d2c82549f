"""ONNX models that are ready to run."""

from typing import Any


def open_session(model: str | bytes, threads: int) -> Any:
    """Load a model, from a file or as it is; threads don't wait busily, or the workers of a machine fight for cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
