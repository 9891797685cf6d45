"""Models as bytes: the protobuf wire, external data, sparse tensors, well-formedness."""
